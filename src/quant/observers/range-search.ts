/**
 * The search for the range with the least cost: a coarse grid over both ends, then ever finer ones around the best.
 * Ends are chosen as shares of what was observed, so that the search is the same at any magnitude.
 */
import { type Affine, affineOfRange, type GridChoice, isOneSided } from "../grids/range.ts";

export interface SearchDepth {
  /** Candidates per end in the first round. Default 16, or 64 where only one end is free. */
  readonly coarse?: number;
  /** Rounds of refinement; each narrows the neighbourhood threefold. Default 4. */
  readonly rounds?: number;
}

/**
 * Scale and offset of the cheapest range inside [min, max] (zero included). The full range is always a candidate and
 * wins ties, so that a distribution without outliers is not clipped. `cost` may stop counting once it is past `best`.
 */
export function searchRange(
  min: number,
  max: number,
  choice: GridChoice,
  cost: (candidate: Affine, best: number) => number,
  depth: SearchDepth = {},
): Affine {
  const low = Math.min(min, 0);
  const high = Math.max(max, 0);
  const mirrored = choice.symmetric && !isOneSided(choice, low);
  // A symmetric grid has one free number, the scale; and an end that is zero is not free.
  const movesLow = low < 0 && !(mirrored && high > 0);
  const movesHigh = high > 0 || !movesLow;
  const { coarse = movesLow && movesHigh ? 16 : 64, rounds = 4 } = depth;
  const reach = Math.max(-low, high);
  const candidate = (a: number, b: number): Affine =>
    mirrored && high > 0 ? affineOfRange(-b * reach, b * reach, choice) : affineOfRange(a * low, b * high, choice);
  let bestA = 1;
  let bestB = 1;
  let best = mirrored ? affineOfRange(low, high, choice) : candidate(1, 1);
  let bestCost = cost(best, Number.POSITIVE_INFINITY);
  const round = (lows: readonly number[], highs: readonly number[]) => {
    for (const a of lows) {
      for (const b of highs) {
        const next = candidate(a, b);
        const nextCost = cost(next, bestCost);
        if (nextCost < bestCost) {
          bestCost = nextCost;
          best = next;
          bestA = a;
          bestB = b;
        }
      }
    }
  };
  const shares = Array.from({ length: coarse }, (_, i) => 1 - i / coarse);
  round(movesLow ? shares : [1], movesHigh ? shares : [1]);
  let step = 1 / coarse;
  for (let i = 0; i < rounds; i++) {
    step /= 3;
    const around = (center: number) => [-2, -1, 0, 1, 2].map((k) => center + k * step).filter((s) => s > 0 && s <= 1);
    round(movesLow ? around(bestA) : [1], movesHigh ? around(bestB) : [1]);
  }
  return best;
}
