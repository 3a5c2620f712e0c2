import fc from "fast-check";
import { expect, test } from "vitest";
import { randomProblem } from "../../../test/rounding-problem.ts";
import { roundHalfEven } from "../../base/inner.ts";
import { descend } from "./coordinate-descent.ts";
import { nearest, objective, type RoundingProblem } from "./rounding-problem.ts";

const seeds = fc.integer({ min: 0, max: 1e6 });

test("no row gets worse, and no single step up or down would make it better", () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const problem = randomProblem(seed);
      const integers = nearest(problem, roundHalfEven);
      const before = objective(problem, integers);
      descend(problem, integers);
      const after = objective(problem, integers);
      after.forEach((error, row) => {
        expect(error).toBeLessThanOrEqual(before[row]! + 1e-12);
      });
      const floor = problem.weight.map((w, i) => Math.floor(w / problem.scale[i]!));
      for (let i = 0; i < integers.length; i++) {
        const other = integers.slice();
        other[i] = integers[i] === floor[i] ? floor[i]! + 1 : floor[i]!;
        if (other[i]! < -8 || other[i]! > 7) continue;
        const row = Math.floor(i / problem.columns);
        expect(objective(problem, other)[row]!).toBeGreaterThan(after[row]! - 1e-9);
      }
    }),
    { numRuns: 30 },
  );
});

test("integers stay on the grid where a weight lies beyond it", () => {
  const problem = randomProblem(7);
  const shrunk: RoundingProblem = { ...problem, scale: problem.scale.map((s) => s / 4) };
  const integers = nearest(shrunk, roundHalfEven);
  descend(shrunk, integers, { reach: 2 });
  expect(Math.min(...integers)).toBeGreaterThanOrEqual(-8);
  expect(Math.max(...integers)).toBeLessThanOrEqual(7);
});

test("inputs that never carry signal leave their weights alone", () => {
  const problem = randomProblem(3, 1, 1, 4);
  for (let i = 0; i < 4; i++) {
    problem.h[i] = 0;
    problem.h[i * 4] = 0;
  }
  const integers = nearest(problem, roundHalfEven);
  const first = integers[0];
  descend(problem, integers);
  expect(integers[0]).toBe(first);
});
