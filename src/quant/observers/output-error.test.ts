/** Errors weighed by channel: numbers that weigh four times as much are as four numbers. */
import { describe, expect, test } from "vitest";
import { Random } from "../../base/inner.ts";
import type { Shape } from "../../tensor/inner.ts";
import { type GridChoice, rangeOfAffine } from "../grids/range.ts";
import { OutputErrorObserver } from "./output-error.ts";
import { SquaredErrorObserver } from "./squared-error.ts";

const choice: GridChoice = { bits: 3, symmetric: false };
const random = new Random(6);
/** [1, channels, 400]: each channel three times as wide as the one before. */
const channel = (c: number) => Float32Array.from({ length: 400 }, () => random.normal() * 3 ** c);
const channels = [channel(0), channel(1), channel(2)];
const joined = (parts: readonly Float32Array[]) => Float32Array.from(parts.flatMap((part) => [...part]));

function weighed(above: readonly number[], below = above, parts = channels, shape: Shape = [1, parts.length, 400]) {
  const observer = new OutputErrorObserver({ above: Float64Array.from(above), below: Float64Array.from(below) });
  observer.see(joined(parts), shape);
  return observer.propose(choice).scale;
}

/** What an observer of plain errors says of numbers that come so many times. */
function repeated(times: (value: number, channel: number) => number, parts = channels) {
  const observer = new SquaredErrorObserver();
  parts.forEach((part, c) => {
    for (const value of part) observer.see(new Float32Array(times(value, c)).fill(value));
  });
  return observer.propose(choice).scale;
}

describe("a gain counts as so many numbers", () => {
  test("of each channel, whatever the unit of the gains", () => {
    const wanted = repeated((_, c) => [64, 8, 1][c]!);
    expect(weighed([64, 8, 1])).toBeCloseTo(wanted, 6);
    expect(weighed([6.4, 0.8, 0.1])).toBeCloseTo(wanted, 6);
    expect(weighed([1, 8, 64])).toBeCloseTo(
      repeated((_, c) => [1, 8, 64][c]!),
      6,
    );
    expect(Math.abs(wanted - repeated(() => 1))).toBeGreaterThan(0.1 * wanted);
  });

  test("on each side of zero by itself", () => {
    expect(weighed([1, 1, 1], [40, 40, 40])).toBeCloseTo(
      repeated((value) => (value < 0 ? 40 : 1)),
      6,
    );
    expect(weighed([60, 1, 1], [1, 1, 6])).toBeCloseTo(
      repeated((value, c) => (value < 0 ? [1, 1, 6] : [60, 1, 1])[c]!),
      6,
    );
  });
});

describe("groups", () => {
  test("gains within a factor of 2.8 share their mean, those beyond do not", () => {
    const near = weighed([5, 3, 4]);
    expect(near).toBeCloseTo(
      repeated(() => 4),
      6,
    );
    expect(weighed([2.75, 1, 1.8]), "just within").toBeCloseTo(
      repeated(() => 1),
      6,
    );
    expect(weighed([6, 2, 1])).toBeCloseTo(
      repeated((_, c) => [12, 3, 3][c]!),
      6,
    );
  });

  test("the largest side of a channel decides which group it is in", () => {
    expect(weighed([10, 1, 10], [1, 10, 10])).toBeCloseTo(
      repeated(() => 7),
      6,
    );
  });

  test("what weighs next to nothing, or nothing, is the last group", () => {
    // 2.8⁵ = 181: beyond it 1/1000 and nothing share their mean.
    expect(weighed([1000, 2, 0])).toBeCloseTo(
      repeated((_, c) => [1000, 1, 1][c]!),
      6,
    );
  });
});

test("gains that are all nothing are one group", () => {
  expect(() => weighed([0, 0, 0])).not.toThrow();
});

test("several samples, and batches of several sizes, are the same numbers", () => {
  const half = (part: number) => channels.map((values) => values.subarray(200 * part, 200 * part + 200));
  const observer = new OutputErrorObserver({ above: Float64Array.of(64, 8, 1), below: Float64Array.of(64, 8, 1) });
  observer.see(joined([...half(0), ...half(1)]), [2, 3, 200]);
  expect(observer.propose(choice).scale).toBe(weighed([64, 8, 1]));
});

test("numbers of another layout count alike, those of no channels, too", () => {
  const plain = repeated(() => 1);
  expect(weighed([64, 8, 1], [64, 8, 1], channels, [1, 1200])).toBeCloseTo(plain, 6);
  expect(weighed([64, 8, 1], [64, 8, 1], channels, [])).toBeCloseTo(plain, 6);
  const observer = new OutputErrorObserver({ above: Float64Array.of(2, 1), below: Float64Array.of(2, 1) });
  observer.see(joined(channels));
  expect(observer.propose(choice).scale).toBeCloseTo(plain, 6);
});

test("only what readers look at counts, and before the first number there is nothing", () => {
  const observer = new OutputErrorObserver({ above: Float64Array.of(9, 1, 1), below: Float64Array.of(9, 1, 1) });
  expect(() => observer.propose(choice)).toThrow("expected at least one number");
  observer.see(joined(channels), [1, 3, 400]);
  const [min, max] = rangeOfAffine(observer.propose(choice, [0, 1.5]), choice);
  expect(min).toBeCloseTo(0, 6);
  expect(max).toBeLessThan(1.6);
  expect(max).toBeGreaterThan(1);
  expect(observer.statistics().count).toBe(1200);
});

test("numbers that are told to reach further leave room for what comes", () => {
  const observer = new OutputErrorObserver({ above: Float64Array.of(9, 1, 1), below: Float64Array.of(9, 1, 1) });
  observer.see(joined(channels), [1, 3, 400], [-100, 200]);
  const { min, max } = observer.statistics();
  expect([min, max]).toEqual([-100, 200]);
});
