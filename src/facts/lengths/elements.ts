/** The elements behind operators that rearrange and calculate lengths. */
import type { Node } from "../../ir/inner.ts";
import { dtypeOfOnnx, sizeOf } from "../../tensor/inner.ts";
import { axesOf, axisOf } from "../axis.ts";
import { constantOf } from "../constants.ts";
import { isOp } from "../walk.ts";
import { mostElements, numbersOf, sliceRange } from "./computed.ts";
import type { Computed, KnownLengths, Length } from "./length.ts";

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

export function transposed(node: Node, x: Computed): Computed | undefined {
  const perm = node.ints("perm") ?? x.shape.map((_, i) => i).reverse();
  if (axesOf(perm, x.shape.length)?.size !== x.shape.length) return undefined;
  return pick(
    x,
    perm.map((axis) => x.shape[axis]!),
    (at) => perm.reduce<number[]>((from, axis, i) => from.with(axis, at[i]!), [...at]),
  );
}

export function cast(node: Node, x: Computed): Computed | undefined {
  const dtype = dtypeOfOnnx(node.int("to", 0));
  return dtype === "int32" || dtype === "int64" ? { ...x, dtype } : undefined;
}

export function lengthsOf(node: Node, known: KnownLengths): Computed | undefined {
  const lengths = known.of(node.input(0));
  return lengths && vector(lengths.slice(node.int("start", 0), node.int("end") ?? lengths.length));
}

export function gathered(node: Node, x: Computed): Computed | undefined {
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

export function sliced(node: Node, x: Computed, known: KnownLengths): Computed | undefined {
  const [starts, ends, axes, steps] = ["starts", "ends", "axes", "steps"].map(
    (name, i) => node.ints(name) ?? numbersOf(known.elements(node.input(i + 1))),
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

export function reshaped(node: Node, x: Computed, known: KnownLengths): Computed | undefined {
  const numbers = node.ints("axes") ?? numbersOf(known.elements(node.input(1)));
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

export function joined(node: Node, first: Computed, known: KnownLengths): Computed | undefined {
  const parts = node.inputs.map((input) => known.elements(input));
  if (!parts.every((part) => part?.shape.length === first.shape.length) || first.shape.length === 0) return undefined;
  const at = axisOf(node.int("axis", 0), first.shape.length);
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
export function filled(node: Node, known: KnownLengths): Computed | undefined {
  const shape = numbersOf(known.elements(node.input(0)));
  const value = node.tensor("value");
  if (value?.dtype !== "int64" || value.size !== 1 || !shape?.every((length) => length >= 0)) return undefined;
  if (sizeOf(shape) > mostElements) return undefined;
  return { dtype: "int64", shape, elements: Array<number>(sizeOf(shape)).fill(value.numbers()[0]!) };
}

/** Where(Equal(a, b), c, d) over lengths: PyTorch's Expand writes −1 for "as it is" and replaces it at run time. */
export function chosen(node: Node, known: KnownLengths): Computed | undefined {
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

/** Operands of one shape, or one number for all. */
export function calculated(node: Node, a: Computed, known: KnownLengths): Computed | undefined {
  const { op } = node;
  const b = known.elements(node.input(1));
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
