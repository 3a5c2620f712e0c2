/**
 * A histogram of everything, in one pass and 2,048 bins: the bins' width is a power of two and zero is on an edge, so
 * when the range grows, two neighbours merge into one bin exactly. The result does not depend on the order of batches.
 * Channels may be counted in groups, whose counts are weighed when the histogram is read.
 */
import { type BinSource, binCount, type HistogramKernel, kernel, type Sweep } from "./histogram-kernel.ts";
import { notFinite, type Seen } from "./observer.ts";
import { coarsen } from "./statistics.ts";
import type { Ends } from "./useful-range.ts";

/** A histogram as plain data: `counts[i]` numbers lie in [left + i · width, left + (i + 1) · width). */
export interface Histogram {
  readonly left: number;
  readonly width: number;
  readonly counts: Float64Array;
  readonly min: number;
  readonly max: number;
  readonly count: number;
  /** Of the count, how many are exactly zero. */
  readonly zeros: number;
}

/** A histogram to keep: bins are 2^exponent wide, the first of `counts` starts at origin · 2^exponent, and none at either end is empty. */
export interface KeptHistogram {
  readonly exponent: number;
  readonly origin: number;
  readonly counts: readonly number[];
  readonly zeros: number;
  readonly min: number;
  readonly max: number;
  readonly count: number;
}

/** What a number of a group counts for, above and below zero. */
export interface Weight {
  readonly above: number;
  readonly below: number;
}

export class GrowingHistogram {
  readonly #kernel: HistogramKernel;
  /** The group of each channel; empty: all is one group. */
  readonly #groupOf: Uint8Array;
  /** The groups' bins, one behind the other. */
  #counts: Float64Array;
  /** The bins are 2^exponent wide; the first one starts at origin · 2^exponent. */
  #exponent = Number.NaN;
  #origin = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;
  #count = 0;
  #zeros = 0;

  /** `groupOf` numbers the group (0 … 7) of each channel, for tensors [samples, channels, …]. */
  constructor(groupOf: Uint8Array = new Uint8Array(0), with_: HistogramKernel = kernel()) {
    this.#kernel = with_;
    this.#groupOf = groupOf;
    this.#counts = new Float64Array(binCount * (groupOf.length === 0 ? 1 : Math.max(...groupOf) + 1));
  }

  /** Numbers seen so far. */
  get count(): number {
    return this.#count;
  }

  /**
   * Adds numbers; `plane` is how many of a channel lie together (default: the numbers are not told apart). Throws
   * `data/not-finite` for NaN and infinities; what came before them may have been counted.
   */
  see(values: Float32Array, plane?: number): void {
    if (values.length === 0) return;
    const planes =
      plane === undefined || this.#groupOf.length === 0 ? undefined : { length: plane, groupOf: this.#groupOf };
    const source: BinSource = {
      holds: (piece) => piece.finite && this.#holds(piece),
      open: (piece) => {
        if (!piece.finite) return null;
        if (!this.#holds(piece)) this.#cover(piece);
        return { inverse: 2 ** -this.#exponent, origin: this.#origin, counts: this.#counts };
      },
    };
    const seen = this.#kernel.histogram(values, source, planes);
    if (!seen.finite) throw notFinite();
    this.#count += values.length;
    this.#zeros += seen.zeros;
  }

  /** Takes note that numbers reach so far, of which `see` gets a sample. */
  reach([min, max]: Ends): void {
    const all = { min, max, zeros: 0, finite: true };
    if (!this.#holds(all)) this.#cover(all);
  }

  /**
   * What was seen, as plain data; what lies outside `within` is counted at its ends. With `weights`, one for each group,
   * counts are weighed sums; zeros share the mean weight of the bin they lie in.
   */
  histogram(within?: Ends, weights?: readonly Weight[]): Histogram {
    const width = this.#count === 0 ? 0 : 2 ** this.#exponent;
    const counts = this.#sum(weights);
    const all = {
      left: this.#origin * width,
      width,
      counts,
      min: this.#min,
      max: this.#max,
      count: this.#count,
      zeros: weights ? this.#weighedZeros(counts) : this.#zeros,
    };
    return within === undefined ? all : clipped(all, within);
  }

  /** All that was seen, of all groups together, to go on from elsewhere. */
  kept(): KeptHistogram {
    const counts = this.#sum(undefined);
    const first = Math.max(
      0,
      counts.findIndex((count) => count > 0),
    );
    const last = counts.findLastIndex((count) => count > 0);
    return {
      exponent: this.#exponent,
      origin: this.#origin + first,
      counts: [...counts.subarray(first, last + 1)],
      zeros: this.#zeros,
      min: this.#min,
      max: this.#max,
      count: this.#count,
    };
  }

  /** Adds what another histogram has seen; bins that are wider than these are counted where they begin. */
  absorb({ exponent, origin, counts, zeros, min, max, count }: KeptHistogram): void {
    this.reach([min, max]);
    const factor = 2 ** (exponent - this.#exponent);
    for (const [i, here] of counts.entries()) {
      const bin = Math.floor((origin + i) * factor) - this.#origin;
      this.#counts[Math.min(Math.max(bin, 0), binCount - 1)]! += here;
    }
    this.#count += count;
    this.#zeros += zeros;
  }

  statistics(): Seen {
    return { min: this.#min, max: this.#max, count: this.#count, histogram: coarsen(this.histogram()) };
  }

  #weighedZeros(weighed: Float64Array): number {
    const bin = -this.#origin;
    const plain = this.#sum(undefined)[bin] ?? 0;
    return plain === 0 ? 0 : (this.#zeros * weighed[bin]!) / plain;
  }

  #sum(weights: readonly Weight[] | undefined): Float64Array {
    const sum = new Float64Array(binCount);
    const zero = -this.#origin;
    for (let group = 0; group * binCount < this.#counts.length; group++) {
      const { above, below } = weights?.[group] ?? { above: 1, below: 1 };
      for (let i = 0; i < binCount; i++) {
        sum[i]! += this.#counts[group * binCount + i]! * (i < zero ? below : above);
      }
    }
    return sum;
  }

  /** Whether the bins hold a piece; its range then counts as seen. */
  #holds({ min, max }: Sweep): boolean {
    if (Number.isNaN(this.#exponent)) return false;
    const width = 2 ** this.#exponent;
    if (Math.floor(min / width) < this.#origin || Math.floor(max / width) >= this.#origin + binCount) return false;
    this.#min = Math.min(this.#min, min);
    this.#max = Math.max(this.#max, max);
    return true;
  }

  /** Moves to the narrowest bins with which what was seen, the piece and zero fit. */
  #cover(piece: Sweep): void {
    const first = Number.isNaN(this.#exponent);
    this.#min = Math.min(this.#min, piece.min);
    this.#max = Math.max(this.#max, piece.max);
    const low = Math.min(this.#min, 0);
    const high = Math.max(this.#max, 0);
    // Below 2^−120 float32 quotients would leave the normal numbers.
    let exponent = Math.max(Math.ceil(Math.log2(Math.max(high - low, 1e-30) / binCount)) - 1, -120);
    while (Math.floor(high / 2 ** exponent) - Math.floor(low / 2 ** exponent) >= binCount) exponent++;
    const origin = Math.floor(low / 2 ** exponent);
    if (!first) this.#rebin(exponent, origin);
    this.#exponent = exponent;
    this.#origin = origin;
  }

  #rebin(exponent: number, origin: number): void {
    const merged = new Float64Array(this.#counts.length);
    const factor = 2 ** (exponent - this.#exponent);
    for (let start = 0; start < merged.length; start += binCount) {
      for (let i = 0; i < binCount; i++) {
        // What lies outside the new bins is empty.
        merged[start + Math.floor((this.#origin + i) / factor) - origin]! += this.#counts[start + i]!;
      }
    }
    this.#counts = merged;
  }
}

/** What lies outside is counted at the ends. */
export function clipped(histogram: Histogram, [low, high]: Ends): Histogram {
  const { left, width, min, max } = histogram;
  if (min >= low && max <= high) return histogram;
  const counts = histogram.counts.slice();
  let { zeros } = histogram;
  const binOf = (x: number) => Math.min(Math.max(Math.floor((x - left) / width), 0), counts.length - 1);
  const collect = (from: number, to: number, end: number) => {
    let moved = 0;
    for (let i = from; i < to; i++) {
      moved += counts[i]!;
      counts[i] = 0;
    }
    counts[binOf(end)]! += moved;
    if (end === 0) zeros += moved;
  };
  collect(0, binOf(low), low);
  collect(binOf(high) + 1, counts.length, high);
  const inside = (x: number) => Math.min(Math.max(x, low), high);
  return { ...histogram, counts, zeros, min: inside(min), max: inside(max) };
}
