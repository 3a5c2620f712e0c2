/** The range of least squared error for few numbers, counted one by one: what weights use. */

import { type Affine, affineOfRange, type GridChoice, stepsOf } from "../grids/range.ts";
import { shortestScale } from "../grids/short-scale.ts";
import { type GridError, kernel, mostErrors } from "./histogram-kernel.ts";
import { notFinite, nothingSeen } from "./observer.ts";
import { searchRange } from "./range-search.ts";
import { SquaredErrorObserver } from "./squared-error.ts";

/** Scale and offset with the least Σ (x − x̂)². Throws `data/not-finite`. */
export function bestScale(values: Float32Array, choice: GridChoice): Affine {
  if (values.length === 0) throw nothingSeen();
  const { min, max, finite } = kernel().range(values);
  if (!finite) throw notFinite();
  const steps = stepsOf(choice);
  // With a thousand steps and more the full range is within rounding of the best one.
  if (steps > 1023) return affineOfRange(min, max, choice);
  // From here on a histogram decides: the cost of a candidate is a sum over all numbers.
  if (values.length > mostErrors) {
    const observer = new SquaredErrorObserver(1);
    observer.see(values);
    const found = observer.propose({ ...choice, shortScale: false });
    return choice.shortScale ? withShortScale(values, found, choice, false) : found;
  }
  const errorOf = kernel().errors(values);
  const cost = (candidate: Affine, best: number) => errorOf(candidate, steps, best);
  const found = searchRange(min, max, { ...choice, shortScale: false }, cost);
  if (!choice.shortScale) return found;
  return { ...found, scale: shortestScale(found.scale, (scale, best) => cost({ ...found, scale }, best)) };
}

/**
 * A proposal that spans what it should, with a scale that is shorter where that costs next to nothing: short-scale.ts. The range
 * only grows (`atLeast`).
 */
export function withShortScale(values: Float32Array, proposed: Affine, choice: GridChoice, atLeast = true): Affine {
  const errorOf = errorsOf(values);
  const steps = stepsOf(choice);
  const cost = (scale: number, enough: number) => errorOf({ ...proposed, scale }, steps, enough);
  return { ...proposed, scale: shortestScale(proposed.scale, cost, atLeast) };
}

/** Of any number of numbers. */
function errorsOf(values: Float32Array): GridError {
  const { errors } = kernel();
  if (values.length <= mostErrors) return errors(values);
  return (grid, steps, enough) => {
    let sum = 0;
    for (let start = 0; start < values.length && sum <= enough; start += mostErrors)
      sum += errors(values.subarray(start, start + mostErrors))(grid, steps, enough - sum);
    return sum;
  };
}
