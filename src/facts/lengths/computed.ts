/** Small integer tensors that are computed from shapes and constants: what Reshape, Slice, Pad and Expand are told. */

import type { Node } from "../../ir/inner.ts";
import { dtypeOfOnnx, sizeOf, type Tensor } from "../../tensor/inner.ts";
import { axesOf, axisOf } from "../axis.ts";
import { constantOf } from "../constants.ts";
import { isOp } from "../walk.ts";
import type { Computed, KnownLengths, Length } from "./length.ts";

/** Larger tensors are data and no shapes. */
const most = 1024;

export function computedOfConstant(tensor: Tensor): Computed | undefined {
  const { dtype, shape, size } = tensor;
  if ((dtype !== "int64" && dtype !== "int32") || size > most) return undefined;
  return { dtype, shape, elements: tensor.numbers() };
}

/** The elements when all are numbers. */
export function numbersOf(computed: Computed | undefined): number[] | undefined {
  return computed?.elements.every((e) => typeof e === "number") ? (computed.elements as number[]) : undefined;
}

/** Where ONNX's Slice begins on an axis, and how many elements it takes. */
export function sliceRange(length: number, start: number, end: number, step: number): { first: number; count: number } {
  const clamp = (n: number, low: number, high: number) => Math.min(Math.max(n < 0 ? n + length : n, low), high);
  const [low, high] = step > 0 ? [0, length] : [-1, length - 1];
  const first = clamp(start, 0, high);
  // Going down, an end of −length − 1 or less means "through the first element".
  const last = step < 0 && end < -length ? -1 : clamp(end, low, high);
  return { first, count: Math.max(0, Math.ceil((last - first) / step)) };
}

/** The elements that a node computes, when it only rearranges and calculates lengths. */
export function computedBy(node: Node, known: KnownLengths): Computed | undefined {
  const made = calculate(node, known);
  return made && made.elements.length <= most ? made : undefined;
}

function calculate(node: Node, known: KnownLengths): Computed | undefined {
  const of = (index: number) => known.elements(node.input(index));
  const x = isOp(node, "Shape", "ConstantOfShape", "Where") ? undefined : of(0);
  if (isOp(node, "Shape")) {
    const lengths = known.of(node.input(0));
    return lengths && vector(lengths.slice(node.int("start", 0), node.int("end") ?? lengths.length));
  }
  if (isOp(node, "ConstantOfShape")) return filled(node, numbersOf(of(0)));
  if (isOp(node, "Where")) return chosen(node, known);
  if (!x) return undefined;
  if (isOp(node, "Identity")) return x;
  if (isOp(node, "Cast")) {
    const dtype = dtypeOfOnnx(node.int("to", 0));
    return dtype === "int32" || dtype === "int64" ? { ...x, dtype } : undefined;
  }
  if (isOp(node, "Gather")) return gathered(node, x);
  if (isOp(node, "Slice"))
    return sliced(
      node,
      x,
      [1, 2, 3, 4].map((i) => numbersOf(of(i))),
    );
  if (isOp(node, "Squeeze", "Unsqueeze", "Reshape")) return reshaped(node, x, numbersOf(of(1)));
  if (isOp(node, "Transpose")) {
    const perm = node.ints("perm") ?? x.shape.map((_, i) => i).reverse();
    if (axesOf(perm, x.shape.length)?.size !== x.shape.length) return undefined;
    return pick(
      x,
      perm.map((axis) => x.shape[axis]!),
      (at) => perm.reduce<number[]>((from, axis, i) => from.with(axis, at[i]!), [...at]),
    );
  }
  if (isOp(node, "Concat"))
    return joined(
      node.int("axis", 0),
      node.inputs.map((_, i) => of(i)),
    );
  return isOp(node, "Mul", "Add", "Sub", "Div") ? arithmetic(node.op, x, of(1)) : undefined;
}

const vector = (elements: readonly Length[]): Computed => ({ dtype: "int64", shape: [elements.length], elements });

/** A tensor of this shape whose element at a place comes from another place of x. */
function pick(x: Computed, shape: readonly number[], from: (at: readonly number[]) => readonly number[]): Computed {
  const elements = Array.from({ length: sizeOf(shape) }, (_, flat) => {
    let rest = flat;
    const at = shape.toReversed().map((length) => {
      const index = rest % length;
      rest = Math.floor(rest / length);
      return index;
    });
    const place = from(at.reverse());
    return x.elements[place.reduce((index, i, axis) => index * x.shape[axis]! + i, 0)]!;
  });
  return { ...x, shape, elements };
}

function gathered(node: Node, x: Computed): Computed | undefined {
  const index = constantOf(node.input(1));
  if (!index || x.shape.length === 0) return undefined;
  const axis = axisOf(node.int("axis", 0), x.shape.length);
  if (axis === undefined) return undefined;
  const length = x.shape[axis]!;
  const indices = index.numbers().map((i) => (i < 0 ? i + length : i));
  if (indices.some((i) => i < 0 || i >= length)) return undefined;
  const taken = sliceAxes(x, new Map([[axis, indices]]));
  return {
    shape: [...x.shape.slice(0, axis), ...index.shape, ...x.shape.slice(axis + 1)],
    elements: taken.elements,
    dtype: x.dtype,
  };
}

function sliced(node: Node, x: Computed, inputs: readonly (number[] | undefined)[]): Computed | undefined {
  const [starts, ends, axes, steps] = ["starts", "ends", "axes", "steps"].map(
    (name, i) => node.ints(name) ?? inputs[i],
  );
  if (!starts || !ends || (node.input(3) && !axes) || (node.input(4) && !steps)) return undefined;
  const taken = new Map<number, number[]>();
  for (const [i, start] of starts.entries()) {
    const axis = axisOf(axes?.[i] ?? i, x.shape.length);
    const [end, step] = [ends[i], steps?.[i] ?? 1];
    if (axis === undefined || end === undefined || step === 0) return undefined;
    const { first, count } = sliceRange(x.shape[axis]!, start, end, step);
    taken.set(
      axis,
      Array.from({ length: count }, (_, n) => first + n * step),
    );
  }
  return sliceAxes(x, taken);
}

function sliceAxes(x: Computed, taken: ReadonlyMap<number, readonly number[]>): Computed {
  const shape = x.shape.map((length, axis) => taken.get(axis)?.length ?? length);
  return pick(x, shape, (at) => at.map((i, axis) => taken.get(axis)?.[i] ?? i));
}

function reshaped(node: Node, x: Computed, given: readonly number[] | undefined): Computed | undefined {
  const numbers = node.ints("axes") ?? given;
  if (isOp(node, "Reshape")) {
    if (!numbers) return undefined;
    const target = numbers.map((length, i) => (length === 0 ? (x.shape[i] ?? 0) : length));
    const rest = x.elements.length / target.filter((length) => length !== -1).reduce((a, b) => a * b, 1);
    const shape = target.map((length) => (length === -1 ? rest : length));
    return isShapeOf(x, shape) ? { ...x, shape } : undefined;
  }
  if (!numbers)
    return isOp(node, "Squeeze") && !node.input(1) ? { ...x, shape: x.shape.filter((d) => d !== 1) } : undefined;
  const rank = isOp(node, "Squeeze") ? x.shape.length : x.shape.length + numbers.length;
  const at = axesOf(numbers, rank);
  if (!at) return undefined;
  if (isOp(node, "Squeeze")) {
    const shape = x.shape.filter((_, axis) => !at.has(axis));
    return isShapeOf(x, shape) ? { ...x, shape } : undefined;
  }
  const left = [...x.shape];
  return { ...x, shape: Array.from({ length: rank }, (_, axis) => (at.has(axis) ? 1 : left.shift()!)) };
}

/** Whether these lengths hold as many elements as there are. */
function isShapeOf(x: Computed, shape: readonly number[]): boolean {
  return shape.every((length) => Number.isInteger(length) && length >= 0) && sizeOf(shape) === x.elements.length;
}

function joined(axis: number, parts: readonly (Computed | undefined)[]): Computed | undefined {
  const first = parts[0];
  if (!first || !parts.every((part) => part?.shape.length === first.shape.length) || first.shape.length === 0)
    return undefined;
  const at = axisOf(axis, first.shape.length);
  const fits = parts.every((part) => part!.shape.every((length, i) => i === at || length === first.shape[i]));
  if (at === undefined || !fits) return undefined;
  // Everything before the axis is one row of each part in turn.
  const rows = sizeOf(first.shape.slice(0, at));
  const all = parts as readonly Computed[];
  const elements = Array.from({ length: rows }, (_, row) =>
    all.flatMap((part) =>
      part.elements.slice((row * part.elements.length) / rows, ((row + 1) * part.elements.length) / rows),
    ),
  ).flat();
  const length = all.reduce((sum, part) => sum + part.shape[at]!, 0);
  return { ...first, shape: first.shape.with(at, length), elements };
}

/** One whole number everywhere, as exporters make it before they compare a target with −1. */
function filled(node: Node, shape: readonly number[] | undefined): Computed | undefined {
  const value = node.tensor("value");
  if (value?.dtype !== "int64" || value.size !== 1 || !shape?.every((length) => length >= 0)) return undefined;
  if (sizeOf(shape) > most) return undefined;
  return { dtype: "int64", shape, elements: Array<number>(sizeOf(shape)).fill(value.numbers()[0]!) };
}

/** Where(Equal(a, b), c, d) over lengths: PyTorch's Expand writes −1 for "as it is" and replaces it at run time. */
function chosen(node: Node, known: KnownLengths): Computed | undefined {
  const compared = node.input(0)?.producer;
  if (!isOp(compared, "Equal")) return undefined;
  const [a, b] = [known.elements(compared.input(0)), known.elements(compared.input(1))];
  const [c, d] = [known.elements(node.input(1)), known.elements(node.input(2))];
  if (!a || ![b, c, d].every((part) => part && `${part.shape}` === `${a.shape}`)) return undefined;
  const elements = a.elements.map((x, i) => {
    const y = b!.elements[i]!;
    if (x === y) return c!.elements[i]!;
    // A length is never negative, so it never equals a negative number.
    const differs = (typeof x === "number" && typeof y === "number") || Math.min(asNumber(x), asNumber(y)) < 0;
    return differs ? d!.elements[i]! : undefined;
  });
  return elements.every((e) => e !== undefined) ? { ...c!, elements } : undefined;
}

const asNumber = (length: Length): number => (typeof length === "number" ? length : 0);

function arithmetic(op: string, a: Computed, b: Computed | undefined): Computed | undefined {
  const [x, y] = [numbersOf(a), numbersOf(b)];
  if (!b || !x || !y || (x.length !== y.length && x.length !== 1 && y.length !== 1)) return undefined;
  const shape = a.shape.length >= b.shape.length && (x.length >= y.length || y.length === 1) ? a.shape : b.shape;
  const elements = Array.from({ length: Math.max(x.length, y.length) }, (_, i) => {
    const [p, q] = [x[x.length === 1 ? 0 : i]!, y[y.length === 1 ? 0 : i]!];
    // Whole numbers divide towards zero.
    return op === "Mul" ? p * q : op === "Add" ? p + q : op === "Sub" ? p - q : Math.trunc(p / q);
  });
  return elements.every(Number.isFinite) && sizeOf(shape) === elements.length ? { ...a, shape, elements } : undefined;
}
