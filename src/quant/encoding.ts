/**
 * Encodings: scale and offset of every slice of a value, in AIMET's convention: x̂ = scale · (q + offset) with
 * q in 0 … 2^bits − 1 and offset ≤ 0, whatever the storage. ONNX's zero point is −offset for unsigned storage and
 * −offset − 2^(bits − 1) for signed storage.
 */
import { type Grid, type IntGrid, steps } from "./grid.ts";

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

export interface Encoding {
  readonly grid: IntGrid;
  readonly granularity: Granularity;
  readonly symmetric: boolean;
  /** One number a slice: 1, C, or for blocks the row-major array of the tensor's shape with `axis` divided by `size`. */
  readonly scale: readonly number[];
  readonly offset: readonly number[];
}

/** The whole numbers of a slice: x̂ / scale lies in low … high. */
export interface Ends {
  readonly low: number;
  readonly high: number;
}

/**
 * What slice i can represent, in steps of its scale. Everything that rounds asks here: the file, its simulation, the methods,
 * the training form. A strict symmetric grid has one step fewer than its bits allow; it is told by its offset, as in AIMET.
 */
export function endsOf({ grid, symmetric, offset }: Encoding, i = 0): Ends {
  const low = offset[i]!;
  const strict = symmetric && low === 1 - 2 ** (grid.bits - 1);
  return { low, high: strict ? -low : low + steps(grid) };
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
  const shift = encoding.grid.signed ? 2 ** (encoding.grid.bits - 1) : 0;
  return -encoding.offset[i]! - shift;
}

/** Whether a grid is one of integers (and so needs an encoding). */
export function isIntGrid(grid: Grid): grid is IntGrid {
  return grid.kind === "int";
}
