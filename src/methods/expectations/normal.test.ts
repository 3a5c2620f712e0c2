/** Normal distributions against tables and against sums over fine grids. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { clippedNormal, cumulative, density, quantiles, throughFunction } from "./normal.ts";

test("the cumulative distribution agrees with tables", () => {
  // Abramowitz and Stegun, table 26.1 and 26.2.
  for (const [x, share] of [
    [0, 0.5],
    [1, 0.841344746068543],
    [2, 0.977249868051821],
    [-3, 0.001349898031630095],
    [-5, 2.866515718791939e-7],
    [-10, 7.619853024160527e-24],
  ] as const) {
    expect(Math.abs(cumulative(x) / share - 1)).toBeLessThan(1e-12);
  }
});

/** Sums over a fine grid of ± 12 deviations: the reference. */
function summed(f: (x: number) => number, mean: number, deviation: number): { mean: number; variance: number } {
  const n = 200_000;
  let [first, second] = [0, 0];
  for (let i = 0; i < n; i++) {
    const z = 24 * ((i + 0.5) / n - 0.5);
    const weight = (density(z) * 24) / n;
    const y = f(mean + deviation * z);
    first += weight * y;
    second += weight * y * y;
  }
  return { mean: first, variance: second - first * first };
}

test("clipped normals have the mean and variance of sums over a grid", () => {
  for (const [mean, deviation, from, to] of [
    [0, 1, 0, Number.POSITIVE_INFINITY],
    [-2, 1, 0, Number.POSITIVE_INFINITY],
    [1, 3, 0, 6],
    [8, 2, 0, 6],
    [0.3, 0.5, Number.NEGATIVE_INFINITY, 0.1],
    [2, 0.7, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
  ] as const) {
    const reference = summed((x) => Math.min(Math.max(x, from), to), mean, deviation);
    const found = clippedNormal(mean, deviation, from, to);
    // The grid's own error at the kinks is about 1e-8.
    expect(Math.abs(found.mean - reference.mean)).toBeLessThan(1e-7);
    expect(Math.abs(found.variance - reference.variance)).toBeLessThan(1e-7);
  }
});

test("a clipped normal stays inside its ends and is never wider than it was", () => {
  fc.assert(
    fc.property(
      fc.double({ min: -50, max: 50, noNaN: true }),
      fc.double({ min: 0, max: 20, noNaN: true }),
      fc.double({ min: -20, max: 20, noNaN: true }),
      fc.double({ min: 0, max: 20, noNaN: true }),
      (mean, deviation, from, width) => {
        const found = clippedNormal(mean, deviation, from, from + width);
        const slack = 1e-9 * (1 + Math.abs(mean) + deviation);
        expect(found.mean).toBeGreaterThanOrEqual(from - slack);
        expect(found.mean).toBeLessThanOrEqual(from + width + slack);
        expect(found.variance).toBeLessThanOrEqual(deviation * deviation * (1 + 1e-9));
      },
    ),
  );
});

test("functions of a normal: the sigmoid's moments are those of the sum", () => {
  const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
  const [found, reference] = [throughFunction(sigmoid, 0.5, 2, -1e9, 1e9), summed(sigmoid, 0.5, 2)];
  // ± 6 deviations hold all but 2e-9 of the distribution.
  expect(Math.abs(found.mean - reference.mean)).toBeLessThan(1e-8);
  expect(Math.abs(found.variance - reference.variance)).toBeLessThan(1e-7);
});

test("quantiles are symmetric and have the variance of the distribution", () => {
  const found = quantiles(1000);
  expect(Math.abs(found[0]! + found[999]!)).toBeLessThan(1e-9);
  const variance = found.reduce((sum, x) => sum + x * x, 0) / 1000;
  // The outermost strata lose a little of their spread.
  expect(Math.abs(variance - 1)).toBeLessThan(5e-3);
});
