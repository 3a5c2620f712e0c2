/** The squared error of a grid under a density of a few bins, against sums over many numbers that lie evenly in each of them. */
import { describe, expect, test } from "vitest";
import type { Affine } from "../grids/range.ts";
import { Density } from "./density.ts";
import type { Histogram } from "./growing-histogram.ts";

function histogram(
  left: number,
  width: number,
  counts: readonly number[],
  min: number,
  max: number,
  zeros = 0,
): Histogram {
  const count = counts.reduce((a, b) => a + b, 0);
  return { left, width, counts: Float64Array.from(counts), min, max, count, zeros };
}

const fine = 20_000;

/** Σ (x − x̂)², where what is clipped counts so many times; the zeros are on every grid. */
function summed(
  { left, width, counts, min, max, zeros }: Histogram,
  grid: Affine,
  steps: number,
  clips: number,
): number {
  const [low, high] = [grid.scale * grid.offset, grid.scale * (grid.offset + steps)];
  let sum = 0;
  counts.forEach((count, bin) => {
    const own = count - (Math.abs(left + bin * width) < 1e-9 ? zeros : 0);
    const [from, to] = [Math.max(left + bin * width, min), Math.min(left + (bin + 1) * width, max)];
    for (let i = 0; i < fine; i++) {
      const x = from + ((to - from) * (i + 0.5)) / fine;
      const near = Math.min(Math.max(Math.round(x / grid.scale), grid.offset), grid.offset + steps) * grid.scale;
      sum += (own / fine) * (x - near) ** 2 * (x < low || x > high ? clips : 1);
    }
  });
  return sum;
}

const histograms = {
  "both signs, trimmed at both ends": histogram(-2, 1, [3, 5, 7, 2], -1.5, 1.75),
  "with zeros": histogram(-2, 1, [3, 5, 7, 2], -2, 2, 4),
  "with zeros in narrow bins": histogram(-1, 0.5, [3, 5, 7, 2], -1, 1, 4),
  "from zero on, with zeros": histogram(0, 0.5, [9, 1, 4], 0, 1.5, 6),
  "empty bins between": histogram(-1.5, 0.5, [2, 0, 0, 0, 0, 8], -1.25, 1.5),
  "below zero alone": histogram(-3, 1, [1, 2, 4], -3, -0.5),
};

const grids: readonly (readonly [grid: Affine, steps: number])[] = [
  [{ scale: 1.1, offset: -2 }, 3],
  [{ scale: 1.7, offset: -1 }, 1],
  [{ scale: 2.3, offset: -4 }, 7],
  [{ scale: 1.01, offset: 0 }, 3],
  [{ scale: 1.2, offset: -3 }, 3],
  [{ scale: 40, offset: -1 }, 3],
  [{ scale: 1.3, offset: 1 }, 2],
];

describe.each(Object.entries(histograms))("%s", (_, one) => {
  test.each(grids)("%j, %d steps", (grid, steps) => {
    const density = new Density(one);
    for (const clips of [1, 2, 0]) {
      const wanted = summed(one, grid, steps, clips);
      expect(Math.abs(density.squaredError(grid, steps, clips) - wanted)).toBeLessThan(1e-6 * wanted + 1e-7);
    }
  });

  test("a grid finer than the bins: scale² / 12 for each number inside, the rest is clipped", () => {
    const density = new Density(one);
    // Whole steps in each bin and in what is left of the outermost: the uniform error is the true one.
    for (const [grid, steps] of [
      [{ scale: 1 / 128, offset: -512 }, 1023],
      [{ scale: 1 / 128, offset: -64 }, 128],
      [{ scale: 1 / 128, offset: 0 }, 64],
      [{ scale: 1 / 128, offset: -300 }, 20],
    ] as const) {
      for (const clips of [0, 1, 3]) {
        const wanted = summed(one, grid, steps, clips);
        expect(Math.abs(density.squaredError(grid, steps, clips) - wanted)).toBeLessThan(5e-3 * wanted + 1e-6);
      }
    }
  });
});

test("narrow bins and a scale below one", () => {
  const one = histogram(-1.5, 0.25, [2, 0, 3, 1, 4, 9, 7, 5, 2, 1, 1, 6], -1.4, 1.45);
  for (const [grid, steps] of [
    [{ scale: 0.3, offset: -7 }, 15],
    [{ scale: 0.4, offset: -2 }, 3],
    [{ scale: 0.55, offset: -1 }, 3],
  ] as const) {
    const wanted = summed(one, grid, steps, 2);
    expect(Math.abs(new Density(one).squaredError(grid, steps, 2) - wanted)).toBeLessThan(1e-6 * wanted);
  }
});

test("a scale as wide as a bin counts as finer, a wider one is summed step by step", () => {
  const density = new Density(histogram(0, 1, [10], 0, 1));
  // On 0, 1 the error of numbers between is 1/12; half of 1.5 reaches to 0.75.
  expect(density.squaredError({ scale: 1, offset: 0 }, 1, 1)).toBeCloseTo(10 / 12, 12);
  const halves = 0.75 ** 3 / 3 + (0.75 ** 3 - 0.5 ** 3) / 3;
  expect(density.squaredError({ scale: 1.5, offset: 0 }, 1, 1)).toBeCloseTo(10 * halves, 12);
  const uneven = new Density(histogram(0, 1, [10], 0, 0.25));
  expect(uneven.squaredError({ scale: 1, offset: 0 }, 1, 1), "uniform, whatever is in the bin").toBeCloseTo(
    10 / 12,
    12,
  );
});

test("a constant is a point at its own place", () => {
  const point = new Density(histogram(-1, 0.5, [0, 0, 6, 0], 0.3, 0.3));
  expect(point.squaredError({ scale: 0.8, offset: 0 }, 3, 1)).toBeCloseTo(6 * 0.3 ** 2, 6);
  expect(point.squaredError({ scale: 0.6, offset: -3 }, 2, 2)).toBeCloseTo(6 * 2 * 0.9 ** 2, 6);
  expect([point.min, point.max]).toEqual([0.3, 0.3]);
});
