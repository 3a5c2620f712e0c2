/** Moments of numbers that are spread evenly between two ends, against the sums over such numbers. */
import { expect, test } from "vitest";
import { inputExpectation } from "../data-free-ranges/inputs.ts";
import { between } from "./expectation.ts";

test.each([
  [-1, 3],
  [0, 0.5],
  [2, 2],
])("what is only known to lie in %f … %f has the mean and variance of numbers spread evenly there", (low, high) => {
  const count = 1000;
  const numbers = Array.from({ length: count }, (_, i) => low + ((i + 0.5) / count) * (high - low));
  const mean = numbers.reduce((a, b) => a + b, 0) / count;
  const variance = numbers.reduce((sum, x) => sum + (x - mean) ** 2, 0) / count;
  for (const found of [between(low, high), inputExpectation({ low, high })]) {
    expect(found.mean[0]).toBeCloseTo(mean, 12);
    // The middles of a thousand cells miss a millionth of the variance.
    expect(Math.abs(found.variance[0]! - variance)).toBeLessThanOrEqual(2e-6 * variance);
    expect([found.low[0], found.high[0]]).toEqual([low, high]);
  }
});
