/**
 * Einsum: y = Σ over the letters that the output lacks of the product of all operands. The gradient of an operand is such
 * a sum again, of dy and the other operands, with the operand's letters as output.
 */
import type { Value } from "../../../ir/inner.ts";
import { type Shape, Tensor } from "../../../tensor/inner.ts";
import type { Backward, InputGradients } from "../../rule.ts";

/** One letter for each axis; the axes of an ellipsis have letters of their own, aligned at the right. */
interface Terms {
  readonly inputs: readonly string[];
  readonly output: string;
}

export function einsum(b: Backward): InputGradients {
  const terms = termsOf(b);
  const lengths = new Map<string, number>();
  terms.inputs.forEach((term, index) => {
    [...term].forEach((letter, axis) => {
      lengths.set(letter, Math.max(lengths.get(letter) ?? 1, b.shapeOf(index)[axis]!));
    });
  });
  return terms.inputs.map((_, index) => (b.wants(index) ? operandGradient(b, terms, index, lengths) : null));
}

function operandGradient(b: Backward, terms: Terms, index: number, lengths: ReadonlyMap<string, number>): Value {
  const term = terms.inputs[index]!;
  const shape = b.shapeOf(index);
  const letters = [...new Set(term)];
  const factors = [
    { term: terms.output, value: b.dy },
    ...terms.inputs.map((other, i) => ({ term: other, value: b.input(i) })).toSpliced(index, 1),
  ];
  // Letters that only this operand has were summed over it alone: each of its positions gets the same.
  const shared = letters.filter((letter) => factors.some((factor) => factor.term.includes(letter)));
  const product = productOf(b, factors, shared.join(""));
  const present = letters.map((letter) => (shared.includes(letter) ? lengths.get(letter)! : 1));
  const own = letters.map((letter) => shape[term.indexOf(letter)]!);
  // Where this operand has length one and others do not, it was broadcast.
  const summed = letters.flatMap((_, axis) => (own[axis] === 1 && present[axis] !== 1 ? [axis] : []));
  const narrow = b.expand(b.sum(b.reshape(product, present), summed, true), own);
  return onDiagonal(b, narrow, letters, own, term, shape);
}

/** The sum of products of these factors; scalars are multiplied in afterwards, since ONNX Runtime takes none. */
function productOf(b: Backward, factors: readonly { term: string; value: Value }[], output: string): Value {
  const tensors = factors.filter(({ term }) => term !== "");
  const scalars = factors.filter(({ term }) => term === "").map(({ value }) => value);
  const parts = [...scalars];
  if (tensors.length > 0) {
    const equation = `${tensors.map(({ term }) => term).join(",")}->${output}`;
    const values = tensors.map(({ value }) => value);
    parts.unshift(b.op("Einsum", values, { equation }));
  }
  return parts.reduce((product, part) => b.mul(product, part));
}

/** A letter that an operand has twice reads its diagonal, so the gradient lies there and zeros elsewhere. */
function onDiagonal(
  b: Backward,
  gradient: Value,
  letters: readonly string[],
  lengths: Shape,
  term: string,
  shape: Shape,
): Value {
  if (letters.length === term.length) return gradient;
  const wide = [...term].map((letter, axis) => (term.indexOf(letter) === axis ? lengths[letters.indexOf(letter)]! : 1));
  const masks = [...term].flatMap((letter, axis) => {
    const first = term.indexOf(letter);
    if (first === axis) return [];
    const n = shape[axis]!;
    const eye = Float32Array.from({ length: n * n }, (_, at) => (at % (n + 1) === 0 ? 1 : 0));
    const place = shape.map((_, i) => (i === first || i === axis ? n : 1));
    return [b.constant(Tensor.float32(place, eye))];
  });
  return masks.reduce((product, mask) => b.mul(product, mask), b.reshape(gradient, wide));
}

function termsOf(b: Backward): Terms {
  const equation = b.node.string("equation", "").replaceAll(" ", "");
  const [left, right] = equation.split("->") as [string, string?];
  const inputs = left.split(",");
  const free = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"].filter(
    (letter) => !equation.includes(letter),
  );
  const rankOf = (term: string, index: number) => b.shapeOf(index).length - (term.length - 3);
  const ranks = inputs.map((term, index) => (term.includes("...") ? rankOf(term, index) : 0));
  const most = Math.max(...ranks);
  const dots = free.slice(0, most);
  const spelled = inputs.map((term, index) => term.replace("...", dots.slice(most - ranks[index]!).join("")));
  if (right !== undefined) return { inputs: spelled, output: right.replace("...", dots.join("")) };
  // Without an arrow: the ellipsis, then every letter that occurs once, in alphabetical order.
  const all = inputs.join("").replaceAll(".", "");
  const once = [...new Set(all)].filter((letter) => all.indexOf(letter) === all.lastIndexOf(letter)).toSorted();
  return { inputs: spelled, output: [...dots, ...once].join("") };
}
