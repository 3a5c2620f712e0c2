import { expect, test } from "vitest";
import { leastError, sumRows } from "../on-moments/least-error.ts";
import { fractions } from "./math.ts";

test("fractions go from 1/C to the whole range", () => {
  expect(fractions(4)).toEqual([0.25, 0.5, 0.75, 1]);
  expect(fractions(0)).toEqual([]);
});

test("each slice takes its own best candidate, the first of equal ones", () => {
  const errors = [
    [5, 1, 3, 2],
    [4, 2, 3, 0],
    [6, 0, 3, 0],
  ];
  expect(Array.from(leastError(errors))).toEqual([1, 2, 0, 1]);
  expect(leastError([])).toHaveLength(0);
});

test("rows add up in the slice that they share", () => {
  expect(Array.from(sumRows([1, 2, 4, 8], [0, 2, 0, 2], 3))).toEqual([5, 0, 10]);
});
