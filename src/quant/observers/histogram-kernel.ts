/**
 * One sweep over float32 numbers: minimum, maximum, zeros, whether all are finite, and how many fall into each of
 * 2,048 bins of equal width; and the squared error of a grid. In WebAssembly with SIMD where the platform has it; the plain
 * loops are the reference.
 */

import type { Affine } from "../grids/range.ts";
import { histogramKernel } from "./kernels.generated.ts";

/** Bins of a histogram. 2,048 give an 8-bit grid at least four bins a step. */
export const binCount = 2048;

export interface Sweep {
  /** Infinity where there was no number. */
  readonly min: number;
  readonly max: number;
  /** Numbers equal to zero. */
  readonly zeros: number;
  /** Whether there was neither NaN nor an infinity. */
  readonly finite: boolean;
}

/** Groups of channels that a histogram may keep apart. */
export const mostGroups = 8;

/** Numbers laid out as [sample, channel, plane]: which group each channel belongs to (0 … 7). */
export interface Planes {
  readonly length: number;
  readonly groupOf: Uint8Array;
}

/** Where the bins of a histogram lie. */
export interface Bins {
  /** One over the bins' width. */
  readonly inverse: number;
  /** Number of the first bin, counted from zero in bins. */
  readonly origin: number;
  /** 2,048 counters a group, one group behind the other. */
  readonly counts: Float64Array;
}

/** Returns the bins for numbers that are taken piece by piece. */
export interface BinSource {
  /** Whether the bins given last will do for a piece of this range. */
  holds(piece: Sweep): boolean;
  /** Bins for the next piece, which `holds` had refused or which is the first; null: stop. */
  open(piece: Sweep): Bins | null;
}

export interface HistogramKernel {
  /** Range of the numbers. */
  range(values: Float32Array): Sweep;
  /**
   * Range of the numbers, and adds each to bin floor(x · inverse) − origin of its group (product in float32); what lies
   * outside is left out. With `planes` the values are whole planes. Counters are up to date when `open` is called and at
   * the end.
   */
  histogram(values: Float32Array, source: BinSource, planes?: Planes): Sweep;
  /** Takes up to `mostErrors` numbers; what it returns holds until the next such call. */
  errors(values: Float32Array): GridError;
}

/**
 * Σ (x − x̂)² for x̂ = scale · q with q from `offset` to `offset + steps`. May stop counting past `enough`. Ties cost the same
 * either way, so q = floor(x / scale + ½).
 */
export type GridError = (grid: Affine, steps: number, enough: number) => number;

/** Numbers that `errors` takes. */
export const mostErrors = 16_384;

const nothing: Sweep = { min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY, zeros: 0, finite: true };

/** The plain TypeScript form: any platform, and the reference for the tests. */
export const plainKernel: HistogramKernel = {
  range: plainRange,
  histogram(values, source, planes) {
    const seen = plainRange(values);
    const bins = source.open(seen);
    if (!bins) return seen;
    const { origin, counts } = bins;
    const factor = Math.fround(bins.inverse);
    for (let i = 0; i < values.length; i++) {
      const bin = Math.floor(Math.fround(values[i]! * factor)) - origin;
      if (bin < 0 || bin >= binCount) continue;
      const group = planes ? planes.groupOf[Math.floor(i / planes.length) % planes.groupOf.length]! : 0;
      counts[group * binCount + bin]!++;
    }
    return seen;
  },
  errors:
    (values) =>
    ({ scale, offset }, steps, enough) => {
      const inverse = 1 / scale;
      let sum = 0;
      for (let i = 0; i < values.length && sum <= enough; i++) {
        const x = values[i]!;
        const q = Math.floor(x * inverse + 0.5);
        sum += (x - scale * Math.min(Math.max(q, offset), offset + steps)) ** 2;
      }
      return sum;
    },
};

function plainRange(values: Float32Array): Sweep {
  let { min, max, zeros, finite } = nothing;
  for (const x of values) {
    if (x < min) min = x;
    if (x > max) max = x;
    if (x === 0) zeros++;
    if (!Number.isFinite(x)) finite = false;
  }
  return { min, max, zeros, finite };
}

// Layout of the module's memory; see tools/histogram-kernel.wat.
const tableLength = 2052;
const groupLength = 4 * tableLength;
const resultsAt = 262_656;
const groupsAt = 262_720;
/** Channels whose groups fit. */
const mostChannels = 65_536;
const numbersAt = groupsAt + mostChannels;
/** Numbers handed over at once: 256 KiB stays in the second-level cache. */
const chunk = 65_536;
const sumsAt = numbersAt + 4 * chunk;
const errorsAt = sumsAt + 4 * tableLength;

interface Exports {
  readonly memory: WebAssembly.Memory;
  range(count: number): void;
  fold(table: number): void;
  planes(
    at: number,
    planes: number,
    length: number,
    channel: number,
    channels: number,
    inverse: number,
    origin: number,
  ): void;
  histogram(at: number, count: number, inverse: number, origin: number, table: number): void;
  error(count: number, scale: number, inverse: number, low: number, high: number, enough: number): number;
}

/** The WebAssembly form, or null where the platform has no WebAssembly with SIMD. */
export function wasmKernel(): HistogramKernel | null {
  try {
    const bytes = Uint8Array.from(atob(histogramKernel), (c) => c.charCodeAt(0));
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes));
    return wrap(instance.exports as unknown as Exports);
  } catch (error) {
    if (error instanceof ReferenceError || error instanceof WebAssembly.CompileError) return null;
    throw error;
  }
}

function wrap(exports: Exports): HistogramKernel {
  const { buffer } = exports.memory;
  // Without the first counter, a guard.
  const sums = new Uint32Array(buffer, sumsAt + 4, binCount);
  const ends = new Float32Array(buffer, resultsAt, 2);
  const counts = new Uint32Array(buffer, resultsAt + 8, 2);
  const numbers = new Float32Array(buffer, numbersAt, chunk);
  const groupOfChannel = new Uint8Array(buffer, groupsAt, mostChannels);
  const judged = new Float32Array(buffer, errorsAt, mostErrors);
  /** Copies the numbers into the module's memory, at most `size` at once; stops where `take` says false. */
  const inPieces = (
    values: Float32Array,
    size: number,
    take: (start: number, count: number, piece: Sweep) => boolean,
  ): Sweep => {
    let seen = nothing;
    for (let start = 0; start < values.length; start += size) {
      const count = Math.min(size, values.length - start);
      numbers.set(count === values.length ? values : values.subarray(start, start + count));
      exports.range(count);
      const piece = { min: ends[0]!, max: ends[1]!, zeros: counts[0]!, finite: counts[1] === 0 };
      seen = {
        min: Math.min(seen.min, piece.min),
        max: Math.max(seen.max, piece.max),
        zeros: seen.zeros + piece.zeros,
        finite: seen.finite && piece.finite,
      };
      if (!take(start, count, piece)) break;
    }
    return seen;
  };
  /** Moves what was counted into the bins. */
  const flush = ({ counts }: Bins) => {
    for (let first = 0, table = 0; first < counts.length; first += binCount, table += 4 * groupLength) {
      exports.fold(table);
      for (let i = 0; i < binCount; i++) if (sums[i] !== 0) counts[first + i]! += sums[i]!;
    }
  };
  return {
    range: (values) => inPieces(values, chunk, () => true),
    histogram(values, source, planes) {
      const { length, groupOf } = planes ?? { length: values.length, groupOf: oneGroup };
      if (groupOf.length > mostChannels) return plainKernel.histogram(values, source, planes);
      groupOfChannel.set(groupOf);
      // A piece holds whole planes, or is a part of one.
      const size = length <= chunk ? Math.floor(chunk / Math.max(length, 1)) * length : chunk;
      let bins: Bins | null = null;
      const seen = inPieces(values, Math.max(size, 1), (start, count, piece) => {
        if (!bins || !source.holds(piece)) {
          if (bins) flush(bins);
          bins = source.open(piece);
          if (!bins) return false;
        }
        const { inverse, origin } = bins;
        if (length <= chunk) {
          const channel = Math.floor(start / length) % groupOf.length;
          exports.planes(numbersAt, count / length, length, channel, groupOf.length, inverse, origin);
          return true;
        }
        for (let at = start; at < start + count; ) {
          const plane = Math.floor(at / length);
          const part = Math.min((plane + 1) * length, start + count) - at;
          const table = 4 * groupLength * groupOf[plane % groupOf.length]!;
          exports.histogram(numbersAt + 4 * (at - start), part, inverse, origin, table);
          at += part;
        }
        return true;
      });
      if (bins) flush(bins);
      return seen;
    },
    errors(values) {
      judged.set(values);
      const { length } = values;
      return ({ scale, offset }, steps, enough) =>
        exports.error(length, scale, 1 / scale, offset, offset + steps, enough);
    },
  };
}

const oneGroup = new Uint8Array(1);

let chosen: HistogramKernel | undefined;

/** The fastest kernel of this platform. */
export function kernel(): HistogramKernel {
  chosen ??= wasmKernel() ?? plainKernel;
  return chosen;
}
