/** Slices of a tensor that share one scale: which elements belong to which entry of an encoding's arrays. */
import { AvocetError } from "../../base/inner.ts";
import { type Shape, sizeOf } from "../../tensor/inner.ts";
import type { Granularity } from "./encoding.ts";

/** How many scales an encoding of this granularity has. Throws `tensor/wrong-size` where axis or block do not fit. */
export function sliceCount(shape: Shape, granularity: Granularity): number {
  if (granularity.kind === "tensor") return 1;
  const length = lengthOf(shape, granularity.axis);
  if (granularity.kind === "channel") return length;
  lengthOf(shape, granularity.channelAxis);
  if (!(granularity.size > 0) || length % granularity.size !== 0) {
    throw new AvocetError(
      "tensor/wrong-size",
      `expected axis ${granularity.axis} to be a multiple of the block size ${granularity.size}, got ${length}`,
      { hint: "choose a block size that divides the axis" },
    );
  }
  return sizeOf(shape) / granularity.size;
}

function lengthOf(shape: Shape, axis: number): number {
  const length = shape[axis];
  if (length === undefined) {
    throw new AvocetError("tensor/wrong-size", `expected an axis below ${shape.length}, got ${axis}`);
  }
  return length;
}

/** Calls `visit` for every stretch of consecutive elements that share a scale, in memory order. */
export function forEachRun(
  shape: Shape,
  granularity: Granularity,
  visit: (slice: number, start: number, end: number) => void,
): void {
  forEachStretch(shape, granularity, (slice, step, start, end) => {
    if (step === 0) visit(slice, start, end);
    else for (let i = start; i < end; i++) visit(slice + i - start, i, i + 1);
  });
}

/**
 * Calls `visit` for every stretch of consecutive elements whose slices are one (`step` 0), or the next one for each element
 * (`step` 1), in memory order. What touches every element of large weights loops inside: where channels lie on the last axis, a run is
 * a single element.
 */
export function forEachStretch(
  shape: Shape,
  granularity: Granularity,
  visit: (slice: number, step: 0 | 1, start: number, end: number) => void,
): void {
  const size = sizeOf(shape);
  sliceCount(shape, granularity);
  if (size === 0) return;
  if (granularity.kind === "tensor") {
    visit(0, 0, 0, size);
    return;
  }
  const { axis } = granularity;
  const length = shape[axis]!;
  const inner = sizeOf(shape.slice(axis + 1));
  if (granularity.kind === "channel") {
    if (inner === 1) for (let start = 0; start < size; start += length) visit(0, 1, start, start + length);
    else
      for (let start = 0, slice = 0; start < size; start += inner, slice = (slice + 1) % length)
        visit(slice, 0, start, start + inner);
    return;
  }
  // On the last axis a block is one stretch; elsewhere its elements lie `inner` apart, and neighbours belong to the next slices.
  const stretch = inner === 1 ? granularity.size : inner;
  const each = granularity.size * inner;
  for (let start = 0; start < size; start += stretch) {
    visit(Math.floor(start / each) * inner, inner === 1 ? 0 : 1, start, start + stretch);
  }
}

export interface SliceValues {
  /** The entries of the encoding's arrays that these elements decide. */
  readonly slices: readonly number[];
  readonly values: Float32Array;
}

/**
 * The elements, gathered by what is observed together: the tensor, a channel, or a block within a channel. Blocks of
 * a kernel share their scale over the kernel's positions, so several slices may belong to one group.
 */
export function gatherSlices(data: Float32Array, shape: Shape, granularity: Granularity): SliceValues[] {
  if (granularity.kind === "tensor") return [{ slices: [0], values: data }];
  const count = sliceCount(shape, granularity);
  const groupOf =
    granularity.kind === "channel" ? Array.from({ length: count }, (_, i) => i) : blockGroups(shape, granularity);
  const groups = groupOf.reduce((most, group) => Math.max(most, group + 1), 0);
  const sizes = new Array<number>(groups).fill(0);
  forEachStretch(shape, granularity, (slice, step, start, end) => {
    if (step === 0) sizes[groupOf[slice]!]! += end - start;
    else for (let k = 0; k < end - start; k++) sizes[groupOf[slice + k]!]!++;
  });
  const values = sizes.map((size) => new Float32Array(size));
  const filled = new Uint32Array(groups);
  forEachStretch(shape, granularity, (slice, step, start, end) => {
    if (step === 0) {
      const group = groupOf[slice]!;
      values[group]!.set(data.subarray(start, end), filled[group]!);
      filled[group]! += end - start;
      return;
    }
    for (let i = start; i < end; i++) {
      const group = groupOf[slice + i - start]!;
      values[group]![filled[group]!++] = data[i]!;
    }
  });
  const slices: number[][] = sizes.map(() => []);
  groupOf.forEach((group, slice) => {
    slices[group]!.push(slice);
  });
  return values.map((v, group) => ({ slices: slices[group]!, values: v }));
}

/**
 * For every slice of a blocked tensor the (channel, block) pair it belongs to, numbered from 0. What axes in front of both count are
 * matrices of their own: those of a batched product, the directions of a recurrent operator.
 */
export function blockGroups(shape: Shape, granularity: Extract<Granularity, { kind: "block" }>): number[] {
  const { axis, size, channelAxis } = granularity;
  const reduced = shape.map((length, i) => (i === axis ? length / size : length));
  const strides = reduced.map((_, i) => sizeOf(reduced.slice(i + 1)));
  const blocks = reduced[axis]!;
  const channels = reduced[channelAxis]!;
  const matrix = sizeOf(reduced.slice(Math.min(axis, channelAxis)));
  return Array.from({ length: sizeOf(reduced) }, (_, slice) => {
    const at = (dim: number) => Math.floor(slice / strides[dim]!) % reduced[dim]!;
    return (Math.floor(slice / matrix) * channels + at(channelAxis)) * blocks + at(axis);
  });
}
