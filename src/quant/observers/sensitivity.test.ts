/** Errors weighed by the squared slope of the outputs, against a search over the numbers themselves. */
import { describe, expect, test } from "vitest";
import { Random } from "../../base/inner.ts";
import { type Affine, type GridChoice, rangeOfAffine, stepsOf } from "../grids/range.ts";
import { MinMaxObserver } from "./min-max.ts";
import { SensitivityObserver } from "./sensitivity.ts";

const random = new Random(11);
const values = Float32Array.from({ length: 4000 }, (_, i) => random.normal() * (i % 20 === 0 ? 8 : 1) + 0.5);
const symmetric: GridChoice = { bits: 4, symmetric: true };

function observed(numbers: Float32Array, slopes: Float32Array): SensitivityObserver {
  const seen = new MinMaxObserver();
  seen.see(numbers);
  const observer = new SensitivityObserver(seen);
  observer.weigh(numbers, slopes);
  return observer;
}

/** Σ slope² · (x − x̂)², where what is clipped counts twice. */
function costOf(slopes: Float32Array, { scale, offset }: Affine, choice: GridChoice): number {
  let sum = 0;
  values.forEach((x, i) => {
    const [low, high] = [scale * offset, scale * (offset + stepsOf(choice))];
    const clips = x < low || x > high;
    const near = Math.min(Math.max(Math.round(x / scale), offset), offset + stepsOf(choice)) * scale;
    sum += slopes[i]! ** 2 * (x - near) ** 2 * (clips ? 2 : 1);
  });
  return sum;
}

const slopes = {
  even: values.map(() => 1),
  "small numbers": values.map((x) => (Math.abs(x) < 2 ? 1 : 0.02)),
  "large numbers": values.map((x) => (Math.abs(x) > 4 ? 3 : 0.1)),
  "numbers below zero": values.map((x) => (x < 0 ? -1 : 0)),
};

describe("the least error", () => {
  test.each(Object.entries(slopes))("by slopes of %s", (_, weights) => {
    const found = observed(values, weights).propose(symmetric);
    const widest = Math.max(...values.map(Math.abs)) / 7;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 1; i <= 500; i++)
      least = Math.min(least, costOf(weights, { scale: (widest * i) / 500, offset: -8 }, symmetric));
    // Numbers are known to one bin of 2,047.
    expect(costOf(weights, found, symmetric)).toBeLessThanOrEqual(1.02 * least);
  });

  test("weights decide: the ranges are far from each other", () => {
    const scaleOf = (weights: Float32Array) => observed(values, weights).propose(symmetric).scale;
    expect(scaleOf(slopes["large numbers"])).toBeGreaterThan(3 * scaleOf(slopes["small numbers"]));
    // The unit of the outputs does not matter, nor does the sign of a slope.
    expect(scaleOf(slopes.even.map(() => -8))).toBe(scaleOf(slopes.even));
  });
});

test("on a grid of its own for each side, all numbers of one sign, numbers far from zero", () => {
  const choice = { bits: 8, symmetric: false };
  for (const [from, to] of [
    [0, 6],
    [-6, 0],
    [5, 6],
    [-2, 6],
  ] as const) {
    const even = Float32Array.from({ length: 3000 }, (_, i) => from + ((to - from) * i) / 2999);
    const [min, max] = rangeOfAffine(
      observed(
        even,
        even.map(() => 1),
      ).propose(choice),
      choice,
    );
    expect(Math.abs(min - Math.min(from, 0)), `${from} … ${to}`).toBeLessThan(0.06);
    expect(Math.abs(max - Math.max(to, 0)), `${from} … ${to}`).toBeLessThan(0.06);
  }
});

test("only what readers look at counts", () => {
  const choice = { bits: 8, symmetric: false };
  const [min, max] = rangeOfAffine(observed(values, slopes.even).propose(choice, [0, 1.5]), choice);
  expect(min).toBeCloseTo(0, 2);
  expect(Math.abs(max - 1.5)).toBeLessThan(0.05);
});

test("it has a weight where an error changes the outputs, and none where slopes are no numbers", () => {
  const weigh = (x: number, slope: number) =>
    observed(Float32Array.of(x, -1, 3), Float32Array.of(slope, 0, 0)).hasWeight;
  expect(weigh(2, 1)).toBe(true);
  expect(weigh(2, -1)).toBe(true);
  expect(weigh(2, 0)).toBe(false);
  expect(weigh(0, 1), "zero is on every grid").toBe(false);
  expect(weigh(2, Number.NaN)).toBe(false);
  expect(weigh(2, Number.POSITIVE_INFINITY)).toBe(false);
});

test("numbers beyond what was seen count at its ends, and further batches add up", () => {
  for (const x of [-50, 50]) {
    const range = new MinMaxObserver();
    range.see(Float32Array.of(-1, 1));
    const one = new SensitivityObserver(range);
    one.weigh(Float32Array.of(x), Float32Array.of(1));
    expect(one.hasWeight, `${x}`).toBe(true);
  }
  const seen = new MinMaxObserver();
  seen.see(Float32Array.of(-1, 1));
  const observer = new SensitivityObserver(seen);
  observer.see();
  observer.weigh(Float32Array.of(-50, 50), Float32Array.of(1, 1));
  expect(observer.hasWeight).toBe(true);
  const choice = { bits: 8, symmetric: true };
  expect(observer.propose(choice).scale).toBeCloseTo(1 / 127, 3);
  observer.weigh(Float32Array.of(0.1, -0.1), Float32Array.of(1e6, 1e6));
  expect(observer.propose({ ...choice, bits: 2 }).scale).toBeLessThan(0.3);
  expect(observer.statistics()).toEqual(seen.statistics());
});
