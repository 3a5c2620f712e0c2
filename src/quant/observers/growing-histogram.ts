/**
 * A histogram of everything, in one pass and 2,048 bins: the bins' width is a power of two and zero is on an edge, so
 * when the range grows, two neighbours merge into one bin exactly. The result does not depend on the order of batches.
 */
import { binCount, type HistogramKernel, kernel, type Parts } from "../histogram-kernel.ts";
import { coarsen } from "../statistics.ts";
import type { Ends } from "../useful-range.ts";
import { notFinite, type Seen } from "./observer.ts";

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

export class GrowingHistogram {
  readonly #kernel: HistogramKernel;
  #counts = new Float64Array(binCount);
  /** The bins are 2^exponent wide; the first one starts at origin · 2^exponent. */
  #exponent = Number.NaN;
  #origin = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;
  #count = 0;
  #zeros = 0;

  constructor(with_: HistogramKernel = kernel()) {
    this.#kernel = with_;
  }

  /** Numbers seen so far. */
  get count(): number {
    return this.#count;
  }

  /** Adds numbers. Throws `data/not-finite` for NaN and infinities, and is then unchanged. */
  see(values: Float32Array): void {
    this.seeParts([values]);
  }

  /** Adds the numbers of several pieces at once. */
  seeParts(parts: Parts): void {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    if (length === 0) return;
    const fresh = new Float64Array(binCount);
    // Usually the range does not grow any more and one sweep does it all; else the bins were wrong and it is repeated.
    let seen = this.#count > 0 ? this.#sweep(parts, fresh) : this.#kernel.range(parts);
    if (!seen.finite) throw notFinite();
    if (!this.#holds(seen.min, seen.max)) {
      this.#cover(Math.min(seen.min, this.#min), Math.max(seen.max, this.#max));
      fresh.fill(0);
      seen = this.#sweep(parts, fresh);
    } else if (this.#count === 0) seen = this.#sweep(parts, fresh);
    for (let i = 0; i < binCount; i++) this.#counts[i]! += fresh[i]!;
    this.#min = Math.min(this.#min, seen.min);
    this.#max = Math.max(this.#max, seen.max);
    this.#count += length;
    this.#zeros += seen.zeros;
  }

  /** What was seen, as plain data; what lies outside `within` is counted at its ends. */
  histogram(within?: Ends): Histogram {
    const width = this.#count === 0 ? 0 : 2 ** this.#exponent;
    const all = {
      left: this.#origin * width,
      width,
      counts: this.#counts.slice(),
      min: this.#min,
      max: this.#max,
      count: this.#count,
      zeros: this.#zeros,
    };
    return within === undefined ? all : clipped(all, within);
  }

  statistics(): Seen {
    return { min: this.#min, max: this.#max, count: this.#count, histogram: coarsen(this.histogram()) };
  }

  #sweep(parts: Parts, bins: Float64Array) {
    return this.#kernel.histogram(parts, 2 ** -this.#exponent, this.#origin, bins);
  }

  #holds(min: number, max: number): boolean {
    if (Number.isNaN(this.#exponent)) return false;
    const width = 2 ** this.#exponent;
    return Math.floor(min / width) >= this.#origin && Math.floor(max / width) < this.#origin + binCount;
  }

  /** Moves to the narrowest bins with which [min, max] and zero fit. */
  #cover(min: number, max: number): void {
    const low = Math.min(min, 0);
    const high = Math.max(max, 0);
    // Below 2^−120 float32 quotients would leave the normal numbers.
    let exponent = Math.max(Math.ceil(Math.log2(Math.max(high - low, 1e-30) / binCount)) - 1, -120);
    while (Math.floor(high / 2 ** exponent) - Math.floor(low / 2 ** exponent) >= binCount) exponent++;
    const origin = Math.floor(low / 2 ** exponent);
    if (this.#count > 0) this.#rebin(exponent, origin);
    this.#exponent = exponent;
    this.#origin = origin;
  }

  #rebin(exponent: number, origin: number): void {
    const merged = new Float64Array(binCount);
    const factor = 2 ** (exponent - this.#exponent);
    for (let i = 0; i < binCount; i++) {
      const count = this.#counts[i]!;
      if (count > 0) merged[Math.floor((this.#origin + i) / factor) - origin]! += count;
    }
    this.#counts = merged;
  }
}

function clipped(histogram: Histogram, [low, high]: Ends): Histogram {
  const { left, width, min, max } = histogram;
  if (histogram.count === 0 || (min >= low && max <= high)) return histogram;
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
  if (min < low) collect(0, binOf(low), low);
  if (max > high) collect(binOf(high) + 1, counts.length, high);
  const inside = (x: number) => Math.min(Math.max(x, low), high);
  return { ...histogram, counts, zeros, min: inside(min), max: inside(max) };
}
