/**
 * The ranges of least squared error over all data. `mse` counts clipping as what it is; `sqnr` counts it more, because
 * clipped numbers are the large ones, whose errors do not average out over a sum as rounding errors do.
 */
import { type Affine, type GridChoice, stepsOf } from "../grids/range.ts";
import { Density } from "./density.ts";
import { clipped, type Histogram } from "./growing-histogram.ts";
import { HistogramObserver } from "./histogram-observer.ts";
import { searchRange } from "./range-search.ts";
import type { Ends } from "./useful-range.ts";

/** How much more clipping counts than rounding in `sqnr`. */
const sqnrClippingWeight = 2;

/**
 * The range in which the counted numbers lose least; clipping counts `clippingWeight` times (default: as in `sqnr`). What lies
 * outside `useful` counts at its ends.
 */
export function leastErrorRange(
  counted: Histogram,
  choice: GridChoice,
  useful?: Ends,
  clippingWeight = sqnrClippingWeight,
): Affine {
  const density = new Density(useful ? clipped(counted, useful) : counted);
  const steps = stepsOf(choice);
  return searchRange(density.min, density.max, choice, (candidate) =>
    density.squaredError(candidate, steps, clippingWeight),
  );
}

export class SquaredErrorObserver extends HistogramObserver {
  readonly #clippingWeight: number;

  /** `clippingWeight` 1 is the plain mean squared error. */
  constructor(clippingWeight = sqnrClippingWeight) {
    super();
    this.#clippingWeight = clippingWeight;
  }

  protected override choose(choice: GridChoice, histogram: Histogram): Affine {
    return leastErrorRange(histogram, choice, undefined, this.#clippingWeight);
  }
}
