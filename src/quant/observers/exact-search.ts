/** The range of least squared error for few numbers, counted one by one: what weights use. */
import { kernel } from "../histogram-kernel.ts";
import { type Affine, affineOfRange, type GridChoice, stepsOf } from "../range.ts";
import { shortestScale } from "../short-scale.ts";
import { notFinite, nothingSeen } from "./observer.ts";
import { searchRange } from "./range-search.ts";
import { SquaredErrorObserver } from "./squared-error.ts";

/** From this many numbers on a histogram decides: the cost of a candidate here is a sum over all of them. */
const most = 16_384;

/** Scale and offset with the least Σ (x − x̂)². Throws `data/not-finite`. */
export function bestScale(values: Float32Array, choice: GridChoice): Affine {
  if (values.length === 0) throw nothingSeen();
  const { min, max, finite } = kernel().range(values);
  if (!finite) throw notFinite();
  const steps = stepsOf(choice);
  // With a thousand steps and more the full range is within rounding of the best one.
  if (steps > 1023) return affineOfRange(min, max, choice);
  if (values.length > most) {
    const observer = new SquaredErrorObserver(1);
    observer.see(values);
    return observer.propose(choice);
  }
  const cost = (candidate: Affine, best: number) => squaredError(values, candidate, steps, best);
  const found = searchRange(min, max, { ...choice, shortScale: false }, cost);
  if (!choice.shortScale) return found;
  return { ...found, scale: shortestScale(found.scale, (scale, best) => cost({ ...found, scale }, best)) };
}

/**
 * A proposal that spans what it should, with a scale that is shorter where that costs next to nothing: short-scale.ts. The range
 * only grows.
 */
export function withShortScale(values: Float32Array, proposed: Affine, choice: GridChoice): Affine {
  const errorOf = (scale: number, enough: number) =>
    squaredError(values, { ...proposed, scale }, stepsOf(choice), enough);
  return { ...proposed, scale: shortestScale(proposed.scale, errorOf, true) };
}

/** Numbers between two looks at whether the sum is past the best one already. */
const stretch = 64;

function squaredError(values: Float32Array, { scale, offset }: Affine, steps: number, best: number): number {
  const inverse = 1 / scale;
  const top = offset + steps;
  let sum = 0;
  for (let start = 0; start < values.length && sum <= best; start += stretch) {
    const end = Math.min(start + stretch, values.length);
    for (let i = start; i < end; i++) {
      const x = values[i]!;
      // Ties cost the same either way, so the fastest rounding will do.
      const q = Math.floor(x * inverse + 0.5);
      const error = x - Math.min(Math.max(q, offset), top) * scale;
      sum += error * error;
    }
  }
  return sum;
}
