/** Quantiles of histograms that can be read by eye. */
import { expect, test } from "vitest";
import { PercentileObserver, quantile } from "./percentile.ts";

const of = (counts: number[], min: number, max: number) => ({
  left: 0,
  width: 1,
  counts: Float64Array.from(counts),
  min,
  max,
  zeros: 0,
  count: counts.reduce((a, b) => a + b, 0),
});

test("quantiles are linear inside a bin, which ends where the numbers do", () => {
  expect(quantile(of([4], 0, 1), 0.25)).toBe(0.25);
  expect(quantile(of([4, 4], 0, 2), 0.625)).toBe(1.25);
  // Numbers from 0.5 to 1.5: half of each bin.
  expect(quantile(of([4, 4], 0.5, 1.5), 0.25)).toBe(0.75);
  expect(quantile(of([4, 4], 0.5, 1.5), 0.75)).toBe(1.25);
  expect(quantile(of([4, 4], 0.5, 1.5), 1)).toBe(1.5);
});

test("empty bins hold nothing: neither the least number nor what lies between", () => {
  expect(quantile(of([0, 2, 2], 1, 3), 0)).toBe(1);
  expect(quantile(of([2, 0, 2], 0, 3), 0.5)).toBe(1);
  expect(quantile(of([2, 0, 2], 0, 3), 0.75)).toBe(2.5);
  expect(quantile(of([0, 0], 0, 2), 0.5)).toBe(2);
});

test("percentiles from the median to the whole are taken, others refused", () => {
  const choice = { bits: 8, symmetric: false };
  const upper = (percent: number) => {
    const observer = new PercentileObserver(percent);
    observer.see(Float32Array.from({ length: 1001 }, (_, i) => i));
    const { scale } = observer.propose(choice);
    return 255 * scale;
  };
  // A bin of the 2,048 is half a number wide at most.
  expect(Math.abs(upper(50) - 500)).toBeLessThan(1.5);
  expect(upper(100)).toBeCloseTo(1000, 9);
  for (const percent of [49.9, 100.1, 101, Number.NaN]) expect(() => upper(percent)).toThrow("between 50 and 100");
});
