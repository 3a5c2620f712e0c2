/**
 * A histogram read as a density: uniform inside each bin, with the exact zeros apart (they are on every grid and cost
 * nothing). Integrals of x⁰, x¹ and x² over any interval come from prefix sums, so the squared error of a grid costs
 * one look-up per step of the grid, whatever the number of bins.
 */
import type { Affine } from "../grids/range.ts";
import type { Histogram } from "./growing-histogram.ts";

export class Density {
  readonly min: number;
  readonly max: number;
  readonly #left: number;
  readonly #width: number;
  readonly #bins: number;
  /** Density of each bin, between its edges trimmed to what was observed. */
  readonly #height: Float64Array;
  readonly #from: Float64Array;
  readonly #to: Float64Array;
  // Integrals of ρ, ρ·x and ρ·x² from the left end to the left edge of each bin.
  readonly #mass: Float64Array;
  readonly #first: Float64Array;
  readonly #second: Float64Array;

  constructor(histogram: Histogram) {
    const { left, width, counts, min, max, zeros } = histogram;
    const bins = counts.length;
    this.min = min;
    this.max = max;
    this.#left = left;
    this.#width = width;
    this.#bins = bins;
    this.#height = new Float64Array(bins);
    this.#from = new Float64Array(bins);
    this.#to = new Float64Array(bins);
    this.#mass = new Float64Array(bins + 1);
    this.#first = new Float64Array(bins + 1);
    this.#second = new Float64Array(bins + 1);
    const zeroBin = zeros > 0 ? Math.floor(-left / width + 0.5) : -1;
    for (let i = 0; i < bins; i++) {
      const count = counts[i]! - (i === zeroBin ? zeros : 0);
      // The outermost bins end where the numbers do: a bound of ReLU6 is a point, not a bin.
      const from = Math.max(left + i * width, min);
      const to = Math.max(Math.min(left + (i + 1) * width, max), from + width * 1e-9);
      this.#from[i] = from;
      this.#to[i] = to;
      this.#height[i] = count / (to - from);
      this.#mass[i + 1] = this.#mass[i]! + count;
      this.#first[i + 1] = this.#first[i]! + (count * (from + to)) / 2;
      this.#second[i + 1] = this.#second[i]! + (count * (from * from + from * to + to * to)) / 3;
    }
  }

  /** Σ (x − x̂)² over all numbers, for the grid scale · (offset … offset + steps); clipping counts `clippingWeight` times. */
  squaredError({ scale, offset }: Affine, steps: number, clippingWeight: number): number {
    const low = scale * offset;
    const high = scale * (offset + steps);
    const clipped =
      this.#around(Number.NEGATIVE_INFINITY, low, low) + this.#around(high, Number.POSITIVE_INFINITY, high);
    // Where a bin holds whole steps, the error inside is uniform: scale² / 12 a number.
    if (scale <= this.#width) return clippingWeight * clipped + (this.#massBetween(low, high) * scale * scale) / 12;
    const first = Math.max(offset, Math.floor(this.min / scale) - 1);
    const last = Math.min(offset + steps, Math.ceil(this.max / scale) + 1);
    let inside = 0;
    let from = Math.max(low, (first - 0.5) * scale);
    const before = this.#at(from);
    for (let level = first; level <= last; level++) {
      const to = Math.min((level + 0.5) * scale, high);
      const mass = before.mass;
      const one = before.first;
      const two = before.second;
      this.#read(to, before);
      const x = level * scale;
      inside += before.second - two - 2 * x * (before.first - one) + x * x * (before.mass - mass);
      from = to;
    }
    return clippingWeight * clipped + Math.max(inside, 0);
  }

  /** Σ (x − center)² over the numbers between. */
  #around(from: number, to: number, center: number): number {
    const a = this.#at(from);
    const b = this.#at(to);
    const sum = b.second - a.second - 2 * center * (b.first - a.first) + center * center * (b.mass - a.mass);
    return Math.max(sum, 0);
  }

  #massBetween(from: number, to: number): number {
    return this.#at(to).mass - this.#at(from).mass;
  }

  #at(x: number): { mass: number; first: number; second: number } {
    return this.#read(x, { mass: 0, first: 0, second: 0 });
  }

  #read(x: number, into: { mass: number; first: number; second: number }) {
    const at = (x - this.#left) / this.#width;
    const i = at <= 0 ? 0 : at >= this.#bins ? this.#bins : Math.floor(at);
    into.mass = this.#mass[i]!;
    into.first = this.#first[i]!;
    into.second = this.#second[i]!;
    if (at > 0 && at < this.#bins) {
      const from = this.#from[i]!;
      const to = Math.min(Math.max(x, from), this.#to[i]!);
      const height = this.#height[i]!;
      into.mass += height * (to - from);
      into.first += (height * (to * to - from * from)) / 2;
      into.second += (height * (to * to * to - from * from * from)) / 3;
    }
    return into;
  }
}
