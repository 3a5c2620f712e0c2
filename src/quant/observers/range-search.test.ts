/** The search for a range: which candidates are tried, counted, and that the cheapest is found. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Affine, affineOfRange, rangeOfAffine } from "../grids/range.ts";
import { searchRange } from "./range-search.ts";

const byte = { bits: 8, symmetric: false };
const mirrored = { bits: 8, symmetric: true };

/** All candidates of a search, with the ends that their grids reach. */
function tried(min: number, max: number, choice: typeof byte, cost: (low: number, high: number) => number) {
  const ends: (readonly [number, number])[] = [];
  const found = searchRange(min, max, choice, (candidate) => {
    const [low, high] = rangeOfAffine(candidate, choice);
    ends.push([low, high]);
    return cost(low, high);
  });
  return { found, ends };
}

describe("candidates", () => {
  // The full range, the coarse shares, then four rounds of five around the best; three where the best is the whole.
  const inner = (low: number, high: number) => Math.abs(high - 6.3) + Math.abs(low + 6.3);
  const whole = (low: number, high: number) => -Math.abs(high) - Math.abs(low);
  test.each([
    ["both ends", -10, 10, byte, inner, 1 + 16 * 16 + 4 * 25],
    ["both ends, the whole is best", -10, 10, byte, whole, 1 + 16 * 16 + 4 * 9],
    ["the upper end", 0, 10, byte, inner, 1 + 64 + 4 * 5],
    ["the upper end, zero is added", 3, 10, byte, inner, 1 + 64 + 4 * 5],
    ["the upper end, the whole is best", 0, 10, byte, whole, 1 + 64 + 4 * 3],
    ["the lower end", -10, 0, byte, inner, 1 + 64 + 4 * 5],
    ["nothing but zeros", 0, 0, byte, whole, 1 + 64 + 4 * 3],
    ["one scale", -10, 10, mirrored, inner, 1 + 64 + 4 * 5],
    ["one scale, no numbers above zero", -10, 0, mirrored, inner, 1 + 64 + 4 * 5],
    ["one scale, no numbers below zero", 0, 10, mirrored, inner, 1 + 64 + 4 * 5],
  ])("%s", (_, min, max, choice, cost, count) => {
    expect(tried(min, max, choice, cost).ends).toHaveLength(count);
  });

  test("lie evenly, and around the best ever closer", () => {
    const { ends } = tried(0, 64, byte, (_, high) => Math.abs(high - 40.2));
    const highs = ends.map(([, high]) => high);
    const coarse = Array.from({ length: 64 }, (_, i) => 64 - i);
    // The best are 40, then 40 + 1/3, 40 + 2/9, 40 + 2/9 − 1/27.
    const rounds = [40, 40 + 1 / 3, 40 + 2 / 9, 40 + 2 / 9 - 1 / 27].flatMap((centre, round) =>
      [-2, -1, 0, 1, 2].map((k) => centre + k / 3 ** (round + 1)),
    );
    for (const [i, wanted] of [64, ...coarse, ...rounds].entries()) expect(highs[i]).toBeCloseTo(wanted, 10);
  });

  test("of a symmetric grid reach as far as the larger end", () => {
    for (const [min, max] of [
      [-10, 2],
      [-2, 10],
    ] as const) {
      const highs = tried(min, max, mirrored, (_, high) => Math.abs(high - 5)).ends.map(([, high]) => high);
      // Behind the range itself, where −128 steps reach −10: ± the larger end, and shares of it.
      expect(highs[1]).toBeCloseTo(10, 12);
      expect(highs[33]).toBeCloseTo(5, 12);
    }
    const lows = tried(-10, 0, mirrored, (low) => Math.abs(low + 5)).ends.map(([low]) => low);
    expect(lows[0]).toBeCloseTo(-10, 12);
    expect(lows[33]).toBeCloseTo(-5, 12);
  });
});

test("the cheapest range is found as closely as the last round divides", () => {
  const share = fc.double({ min: 0.1, max: 1, noNaN: true });
  fc.assert(
    fc.property(share, share, (a, b) => {
      // 16 bits: where zero lies moves the ends of 8-bit grids by half a step.
      const choice = { bits: 16, symmetric: false };
      const found = searchRange(-8, 20, choice, (candidate) => {
        const [low, high] = rangeOfAffine(candidate, choice);
        return Math.abs(low + 8 * a) / 8 + Math.abs(high - 20 * b) / 20;
      });
      const [low, high] = rangeOfAffine(found, choice);
      // Half of the last distance, 1/16 · 3⁻⁴, and a step of the grid.
      expect(Math.abs(low + 8 * a) / 8).toBeLessThan(4e-4 + 1e-4);
      expect(Math.abs(high - 20 * b) / 20).toBeLessThan(4e-4 + 1e-4);
    }),
  );
});

test("the full range wins ties, and costs are told the best so far", () => {
  expect(searchRange(-3, 7, byte, () => 1)).toEqual(affineOfRange(-3, 7, byte));
  expect(searchRange(-3, 1, mirrored, () => 1)).toEqual(affineOfRange(-3, 1, mirrored));
  const told: number[] = [];
  const costs: number[] = [];
  searchRange(0, 8, byte, ({ scale }: Affine, best) => {
    told.push(best);
    const cost = Math.abs(scale - 0.02);
    costs.push(cost);
    return cost;
  });
  for (const [i, best] of told.entries()) expect(best).toBe(Math.min(Number.POSITIVE_INFINITY, ...costs.slice(0, i)));
});
