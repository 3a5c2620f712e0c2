/**
 * Encodings: scale and offset of every slice of a value, in AIMET's convention: x̂ = scale · (q + offset) with
 * q in 0 … 2^bits − 1 and offset ≤ 0, whatever the storage. ONNX's zero point is −offset for unsigned storage and
 * −offset − 2^(bits − 1) for signed storage.
 */
import type { Ends, Grid } from "./codec.ts";
import { scaledCodecOf } from "./grid.ts";

/** What shares one scale. Axes are non-negative. */
export type Granularity =
  | { readonly kind: "tensor" }
  | { readonly kind: "channel"; readonly axis: number }
  /** Blocks of `size` along `axis`, each output channel (`channelAxis`) apart. */
  | { readonly kind: "block"; readonly axis: number; readonly size: number; readonly channelAxis: number };

/** For people: "per tensor", "per channel (axis 0)", "in blocks of 32 (axis 1)". */
export function granularityName(granularity: Granularity): string {
  if (granularity.kind === "tensor") return "per tensor";
  const axis = `(axis ${granularity.axis})`;
  return granularity.kind === "channel" ? `per channel ${axis}` : `in blocks of ${granularity.size} ${axis}`;
}

/** Scales and offsets on a grid that has scales: `isScaled` (grids/grid.ts). */
export interface Encoding {
  readonly grid: Grid;
  readonly granularity: Granularity;
  readonly symmetric: boolean;
  /** One number a slice: 1, C, or for blocks the row-major array of the tensor's shape with `axis` divided by `size`. */
  readonly scale: readonly number[];
  readonly offset: readonly number[];
  /** Scales of blocks are products of two (two-level.ts). Default: they have one level. */
  readonly twoLevel?: TwoLevel;
}

/** Which factors there are, and what the coarse scales are of. */
export type TwoLevelForm = "lpbq" | "mx" | "nvfp4";

export interface TwoLevel {
  readonly form: TwoLevelForm;
  /** One number a channel (lpbq) or for the tensor (nvfp4); mx has powers of two alone: [1]. */
  readonly coarse: readonly number[];
  /** lpbq: the largest factor, 2 to the bits that a factor has. */
  readonly most?: number;
}

/**
 * What slice i can represent, in steps of its scale. Everything that rounds asks here: the file, its simulation, the methods,
 * the training form.
 */
export function endsOf({ grid, symmetric, offset }: Encoding, i = 0): Ends {
  return scaledCodecOf(grid).ends(offset[i]!, symmetric);
}

/** The lowest representable number of slice i. */
export function encodingMin(encoding: Encoding, i = 0): number {
  return encoding.scale[i]! * endsOf(encoding, i).low;
}

/** The highest representable number of slice i. */
export function encodingMax(encoding: Encoding, i = 0): number {
  return encoding.scale[i]! * endsOf(encoding, i).high;
}

/** ONNX zero point of slice i under the storage of the grid. */
export function zeroPoint(encoding: Encoding, i = 0): number {
  return -encoding.offset[i]! - scaledCodecOf(encoding.grid).shift;
}
