/** Samples inside batches: taking, joining and counting what lies along the samples' axis of each tensor. */
import { AvocetError } from "../base/inner.ts";
import { arrayKind, type Feeds, Tensor } from "../tensor/inner.ts";
import type { SampleAxes } from "./dataset.ts";

type Numbers = Float32Array;

/** The axis on which samples lie: the first where nothing is said, null for what is the same for all samples. */
export function axisOf(axes: SampleAxes | undefined, name: string): number | null {
  const stated = axes?.[name];
  return stated === undefined ? 0 : stated;
}

/** Samples `start` to `end` of a tensor; a view where samples lie on the first axis. */
export function sliceRows(tensor: Tensor, start: number, end: number, axis: number | null = 0): Tensor {
  if (axis === null) return tensor;
  if (axis > 0) {
    return gatherRows(
      tensor,
      Array.from({ length: end - start }, (_, i) => start + i),
      axis,
    );
  }
  const width = rowLength(tensor);
  const data = (tensor.data as Numbers).subarray(start * width, end * width);
  return Tensor.of(tensor.dtype, [end - start, ...tensor.shape.slice(1)], data);
}

/** Samples `start` to `end` of every tensor. */
export function sliceFeeds(feeds: Feeds, start: number, end: number, axes?: SampleAxes): Feeds {
  return mapFeeds(feeds, (tensor, name) => sliceRows(tensor, start, end, axisOf(axes, name)));
}

/** The named samples of a tensor, copied. */
export function gatherRows(tensor: Tensor, rows: readonly number[], axis: number | null = 0): Tensor {
  if (axis === null) return tensor;
  const { outer, length, inner } = layoutOf(tensor, axis);
  const from = tensor.data as Numbers;
  const to = new (arrayKind(tensor.dtype))(outer * rows.length * inner) as Numbers;
  for (let o = 0; o < outer; o++) {
    rows.forEach((row, i) => {
      const at = (o * length + row) * inner;
      to.set(from.subarray(at, at + inner), (o * rows.length + i) * inner);
    });
  }
  return Tensor.of(tensor.dtype, withLength(tensor.shape, axis, rows.length), to);
}

/** The named samples of every tensor, copied. */
export function gatherFeeds(feeds: Feeds, rows: readonly number[], axes?: SampleAxes): Feeds {
  return mapFeeds(feeds, (tensor, name) => gatherRows(tensor, rows, axisOf(axes, name)));
}

/** Batches joined along the samples' axes. Throws `data/wrong-shape` when they differ in anything else. */
export function joinFeeds(parts: readonly Feeds[], at: string, axes?: SampleAxes): Feeds {
  const [first] = parts;
  if (!first || parts.length === 1) return first ?? {};
  return Object.fromEntries(
    Object.keys(first).map((name) => [
      name,
      joinRows(
        parts.map((part) => part[name]),
        axisOf(axes, name),
        `${at}, input "${name}"`,
      ),
    ]),
  );
}

/** Whether two batches can be one: alike but for the number of samples, and equal in what holds for all samples. */
export function canJoin(a: Feeds, b: Feeds, axes?: SampleAxes): boolean {
  return Object.entries(a).every(([name, left]) => {
    const right = b[name];
    const axis = axisOf(axes, name);
    if (!right || right.dtype !== left.dtype) return false;
    return axis === null ? sameNumbers(left, right) : restOf(left, axis).join() === restOf(right, axis).join();
  });
}

/** Whether two tensors have one shape and the same numbers. */
export function sameNumbers(a: Tensor, b: Tensor): boolean {
  if (a === b) return true;
  if (a.shape.join() !== b.shape.join()) return false;
  const [left, right] = [a.data, b.data];
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return false;
  return true;
}

/** Tensors joined along an axis; null: they must be equal. Throws `data/wrong-shape` when they differ elsewhere. */
export function joinRows(parts: readonly (Tensor | undefined)[], axis: number | null, at: string): Tensor {
  const first = parts[0]!;
  if (axis === null) {
    if (parts.every((part) => part && sameNumbers(first, part))) return first;
    throw new AvocetError("data/wrong-shape", "expected the same numbers for all samples of a run, got others", {
      at,
      hint: "--batch 1 runs samples one by one",
    });
  }
  const rest = restOf(first, axis);
  let rows = 0;
  for (const part of parts) {
    if (part?.dtype !== first.dtype || restOf(part, axis).join() !== rest.join()) {
      const got = part ? `${part.dtype}[${restOf(part, axis).join(",")}]` : "none";
      throw new AvocetError(
        "data/wrong-shape",
        `expected samples all alike, ${first.dtype}[${rest.join(",")}], got ${got}`,
        {
          at,
          hint: 'make images equal in size, for example "preprocess": {"resize": {"short": 256}, "crop": 224}',
        },
      );
    }
    rows += part.shape[axis]!;
  }
  const { outer, inner } = layoutOf(first, axis);
  const joined = new (arrayKind(first.dtype))(outer * rows * inner) as Numbers;
  let offset = 0;
  for (let o = 0; o < outer; o++) {
    for (const part of parts) {
      const width = part!.shape[axis]! * inner;
      joined.set((part!.data as Numbers).subarray(o * width, (o + 1) * width), offset);
      offset += width;
    }
  }
  return Tensor.of(first.dtype, withLength(first.shape, axis, rows), joined);
}

/** How many samples a batch has. Throws `data/wrong-shape` when its inputs disagree or one has no axis for them. */
export function rowsOfFeeds(feeds: Feeds, at: string, axes?: SampleAxes): number {
  const counts = Object.entries(feeds).flatMap(([name, tensor]) => {
    const axis = axisOf(axes, name);
    return axis === null ? [] : [[name, tensor.shape[axis], axis] as const];
  });
  const count = counts[0]?.[1];
  if (count === undefined || counts.some(([, other]) => other !== count)) {
    const got = counts.map(([name, n]) => `${name}: ${n ?? "a scalar"}`).join(", ");
    const where = counts.every(([, , axis]) => axis === 0) ? "every first axis" : "every samples' axis";
    throw new AvocetError(
      "data/wrong-shape",
      `expected the same number of samples on ${where}, got ${got || "nothing"}`,
      {
        at,
        hint: "axes: {NAME: 1} says on which axis samples lie, axes: {NAME: null} that an input is the same for all",
      },
    );
  }
  return count;
}

/** The same names with other tensors. */
export function mapFeeds(feeds: Feeds, change: (tensor: Tensor, name: string) => Tensor): Feeds {
  return Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, change(tensor, name)]));
}

/** The same tensor with its first axis, the samples, moved to `axis`. */
export function moveFirstAxis(tensor: Tensor, axis: number): Tensor {
  if (axis === 0) return tensor;
  const { shape, data, dtype } = tensor;
  const rows = shape[0]!;
  const outer = shape.slice(1, axis + 1).reduce((a, b) => a * b, 1);
  const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const from = data as Numbers;
  const to = new (arrayKind(dtype))(from.length) as Numbers;
  for (let row = 0; row < rows; row++) {
    for (let o = 0; o < outer; o++) {
      const at = (row * outer + o) * inner;
      to.set(from.subarray(at, at + inner), (o * rows + row) * inner);
    }
  }
  return Tensor.of(dtype, [...shape.slice(1, axis + 1), rows, ...shape.slice(axis + 1)], to);
}

/** The lengths next to those of the samples' axis. */
function restOf({ shape }: Tensor, axis: number): number[] {
  return shape.filter((_, i) => i !== axis);
}

function withLength(shape: readonly number[], axis: number, length: number): number[] {
  return shape.map((dim, i) => (i === axis ? length : dim));
}

function layoutOf({ shape }: Tensor, axis: number) {
  const product = (dims: readonly number[]) => dims.reduce((a, b) => a * b, 1);
  return { outer: product(shape.slice(0, axis)), length: shape[axis]!, inner: product(shape.slice(axis + 1)) };
}

/** Host elements of one sample. */
function rowLength(tensor: Tensor): number {
  const rows = tensor.shape[0]!;
  return rows === 0 ? 0 : (tensor.data as Numbers).length / rows;
}
