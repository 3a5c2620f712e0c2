/** Selections against all combinations tried, and AIMET's published example. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { greedySelection, monotone, ratioAt } from "./greedy.ts";
import { type Choice, chooseWithin } from "./knapsack.ts";

const unit = fc.array(fc.record({ cost: fc.integer({ min: 1, max: 60 }), loss: fc.integer({ min: 0, max: 1000 }) }), {
  minLength: 1,
  maxLength: 5,
});

const total = (units: readonly (readonly Choice[])[], found: readonly number[], key: keyof Choice) =>
  found.reduce((sum, index, u) => sum + units[u]![index]![key], 0);

/** The least loss of all combinations within the budget. */
function bestOf(units: readonly (readonly Choice[])[], budget: number): number {
  if (units.length === 0) return budget >= 0 ? 0 : Infinity;
  const [first, ...rest] = units;
  return Math.min(...first!.map(({ cost, loss }) => (cost <= budget ? loss + bestOf(rest, budget - cost) : Infinity)));
}

test("within a budget the sum of losses is the least of all combinations", () => {
  fc.assert(
    fc.property(
      fc.array(unit, { minLength: 1, maxLength: 5 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (units, share) => {
        const [least, most] = [Math.min, Math.max].map((f) =>
          units.reduce((sum, choices) => sum + f(...choices.map(({ cost }) => cost)), 0),
        ) as [number, number];
        // Rounding up costs five of 32,768 steps at most, which is less than one unit of these costs.
        const budget = Math.floor(least + share * (most - least));
        const found = chooseWithin(units, budget)!;
        expect(total(units, found, "cost")).toBeLessThanOrEqual(budget);
        expect(total(units, found, "loss")).toBe(bestOf(units, budget));
      },
    ),
    { numRuns: 60, seed: 5 },
  );
});

test("a budget below the cheapest choices is not met; the cheapest itself is", () => {
  const units = [
    [
      { cost: 4, loss: 1 },
      { cost: 9, loss: 0 },
    ],
    [{ cost: 3, loss: 2 }],
  ];
  expect(chooseWithin(units, 6.9)).toBeNull();
  expect(chooseWithin(units, 7)).toEqual([0, 0]);
  expect(chooseWithin(units, 12)).toEqual([1, 0]);
});

test("AIMET's example: the ratio just before the score falls below the threshold", () => {
  const scored = [11, 23, 47, 85, 89].map((score, i) => ({ ratio: 0.1 + 0.2 * i, cost: i, score }));
  const ratio = (threshold: number) => {
    const index = ratioAt(scored, threshold);
    return index === null ? null : Number(scored[index]!.ratio.toFixed(1));
  };
  expect([45, 48, 90, 5].map(ratio)).toEqual([0.5, 0.7, null, 0.1]);
});

test("the highest threshold that meets the budget is found", () => {
  const layer = (scores: readonly number[]) => ({
    cost: 100,
    scored: scores.map((score, i) => ({ ratio: (i + 1) / 10, cost: 10 * (i + 1), score })),
  });
  // The first hardly loses anything, the second much.
  const robust = layer([80, 84, 86, 87, 88, 88, 89, 89, 90]);
  const fragile = layer([10, 20, 30, 40, 50, 60, 70, 80, 85]);
  expect(greedySelection([robust, fragile], 100)).toEqual([0, 7]);
  expect(greedySelection([robust, fragile], 20)).toEqual([0, 0]);
  expect(greedySelection([robust, fragile], 19)).toBeNull();
  expect(greedySelection([robust, fragile], 200)).toEqual([null, null]);
});

test("the monotone fit is the nearest one that does not fall", () => {
  const of = (scores: readonly number[]) =>
    monotone(scores.map((score, i) => ({ ratio: i, cost: i, score }))).map(({ score }) => score);
  expect(of([1, 3, 2, 4])).toEqual([1, 2.5, 2.5, 4]);
  expect(of([5, 4, 3])).toEqual([4, 4, 4]);
  expect(of([1, 2, 3])).toEqual([1, 2, 3]);
});
