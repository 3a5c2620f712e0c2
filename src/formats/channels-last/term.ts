/**
 * What an importer holds of a tensor of its source: the source's own shape, and in which order the axes are stored. Nothing is
 * transposed when the two differ: operators are written for the stored order, axes and constants translated.
 */
import type { Dim, Value } from "../../ir/inner.ts";
import { type DType, sizeOf, Tensor, type TensorData } from "../../tensor/inner.ts";

/** Stored axis i is the source's axis `order[i]`. */
export type Order = readonly number[];

/** The elements of a small tensor as far as they are known without running: numbers, symbolic lengths by name, null for the rest. */
export type Content = readonly Dim[];

export interface Term {
  readonly dtype: DType;
  /** Lengths in the source's axes; symbolic ones and unknown ones as in ONNX. The rank is always known. */
  readonly shape: readonly Dim[];
  readonly order: Order;
  /** The computed value in the stored order; null for a constant, which becomes an initializer where it is read. */
  readonly value: Value | null;
  /** A constant's data, in the source's order. */
  readonly constant?: Tensor;
  /** Of shapes, axes and other small tensors of numbers: what is known of the elements, in the source's order. */
  readonly content?: Content;
}

/** The axes as the source has them. */
export const sourceOrder = (rank: number): Order => Array.from({ length: rank }, (_, i) => i);

/** Batch, channels, then the rest: how ONNX's convolutions read what a channels-last source calls [batch, …, channels]. */
export function channelsFirst(rank: number): Order {
  return rank < 3 ? sourceOrder(rank) : [0, rank - 1, ...Array.from({ length: rank - 2 }, (_, i) => i + 1)];
}

export const sameOrder = (a: Order, b: Order): boolean => a.length === b.length && a.every((axis, i) => axis === b[i]);

/** Where the source's axis is stored; negative axes count from the end. */
export function storedAxis(term: Term, axis: number): number {
  return term.order.indexOf(axis < 0 ? axis + term.shape.length : axis);
}

/** Lengths in the stored order. */
export const storedShape = (term: Term): Dim[] => term.order.map((axis) => term.shape[axis]!);

/** The lengths when all of them are numbers. */
export function lengthsOf(shape: readonly Dim[]): readonly number[] | undefined {
  return shape.every((dim) => typeof dim === "number") ? (shape as readonly number[]) : undefined;
}

/** The number of elements when all lengths are numbers. */
export function countOf(shape: readonly Dim[]): number | undefined {
  const lengths = lengthsOf(shape);
  return lengths ? sizeOf(lengths) : undefined;
}

/** How elements lie in the stored order is how they lie in the source's: only axes of length 1 have moved. */
export function liesAsInSource(term: Term): boolean {
  const moved = term.order.filter((axis) => term.shape[axis] !== 1);
  return moved.every((axis, i) => i === 0 || axis > moved[i - 1]!);
}

/** A constant with its axes in another order; the data is moved when it is first looked at. */
export function transposed(tensor: Tensor, order: Order): Tensor {
  if (sameOrder(order, sourceOrder(tensor.shape.length))) return tensor;
  const shape = order.map((axis) => tensor.shape[axis]!);
  return Tensor.lazy(tensor.dtype, shape, () => movedData(tensor, order, shape));
}

function movedData(tensor: Tensor, order: Order, shape: readonly number[]): TensorData {
  const { data } = tensor;
  const strides: number[] = [];
  for (let axis = tensor.shape.length - 1, stride = 1; axis >= 0; stride *= tensor.shape[axis--]!)
    strides[axis] = stride;
  const steps = order.map((axis) => strides[axis]!);
  const at = shape.map(() => 0);
  const moved = (Array.isArray(data) ? new Array(data.length) : (data as Float32Array).slice()) as Float32Array;
  for (let i = 0, from = 0; i < moved.length; i++) {
    moved[i] = (data as Float32Array)[from]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += steps[axis]!;
      if (++at[axis]! < shape[axis]!) break;
      from -= steps[axis]! * shape[axis]!;
      at[axis] = 0;
    }
  }
  return moved;
}
