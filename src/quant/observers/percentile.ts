/** Percentile: of all numbers, the share p lies at or below the upper end, and the share p at or above the lower end. */
import { AvocetError } from "../../base/inner.ts";
import { type Affine, affineOfRange, type GridChoice } from "../grids/range.ts";
import type { Histogram } from "./growing-histogram.ts";
import { HistogramObserver } from "./histogram-observer.ts";

/**
 * The number below which the share `q` (0 … 1) of the counts lies; linear inside a bin, and bins end where the
 * observed numbers do.
 */
export function quantile(histogram: Histogram, q: number): number {
  const { left, width, counts, min, max, count } = histogram;
  const wanted = q * count;
  let below = 0;
  for (let i = 0; i < counts.length; i++) {
    const here = counts[i]!;
    if (here > 0 && below + here >= wanted) {
      const from = Math.max(left + i * width, min);
      const to = Math.min(left + (i + 1) * width, max);
      return from + (to - from) * Math.max(0, (wanted - below) / here);
    }
    below += here;
  }
  return max;
}

export class PercentileObserver extends HistogramObserver {
  readonly #share: number;

  /** `percent` in 50 … 100. Throws `usage/bad-value`. */
  constructor(percent = 99.99) {
    super();
    if (!(percent >= 50 && percent <= 100)) {
      throw new AvocetError("usage/bad-value", `expected a percentile between 50 and 100, got ${percent}`);
    }
    this.#share = percent / 100;
  }

  protected override choose(choice: GridChoice, histogram: Histogram): Affine {
    if (this.#share === 1) return affineOfRange(histogram.min, histogram.max, choice);
    return affineOfRange(quantile(histogram, 1 - this.#share), quantile(histogram, this.#share), choice);
  }
}
