/** Scales of least squared error, counted number by number: against errors that the test adds up itself. */
import { describe, expect, test, vi } from "vitest";
import { Random } from "../../base/inner.ts";
import { affineOfRange, type GridChoice, stepsOf } from "../grids/range.ts";
import { shortestScale } from "../grids/short-scale.ts";
import { bestScale, withShortScale } from "./exact-search.ts";
import { kernel, mostErrors } from "./histogram-kernel.ts";
import { errorOf } from "./observer-suite.ts";
import { SquaredErrorObserver } from "./squared-error.ts";

const normal = (count: number, seed: number) => {
  const random = new Random(seed);
  return Float32Array.from({ length: count }, () => random.normal());
};
const many = normal(2 * mostErrors + 100, 1);
const few = normal(200, 2);
const choice: GridChoice = { bits: 4, symmetric: true };
const short: GridChoice = { ...choice, shortScale: true };

/** Σ (x − x̂)² at another scale. */
const summed = (values: Float32Array, offset: number, of: GridChoice) => (scale: number) =>
  errorOf(values, { scale, offset }, of) * values.length;

test("no numbers, and numbers that are none, are refused", () => {
  expect(() => bestScale(new Float32Array(0), choice)).toThrow("expected at least one number");
  expect(() => bestScale(Float32Array.of(1, Number.NaN), choice)).toThrow("expected finite numbers");
  expect(() => bestScale(Float32Array.of(1, Number.POSITIVE_INFINITY), choice)).toThrow("expected finite numbers");
});

test("of more than ten bits the whole range", () => {
  const [min, max] = [Math.min(...few), Math.max(...few)];
  // Numbers that lie on a narrower grid exactly: a search would find it.
  const coarse = Float32Array.from({ length: 300 }, (_, i) => (i % 100) * 0.37 + (i === 0 ? 0.1 : 0));
  for (const bits of [11, 16]) {
    const of = { bits, symmetric: false };
    expect(bestScale(few, of)).toEqual(affineOfRange(min, max, of));
    expect(bestScale(coarse, of)).toEqual(affineOfRange(Math.min(...coarse), Math.max(...coarse), of));
  }
});

describe("of many numbers", () => {
  const observed = (values: Float32Array) => {
    const observer = new SquaredErrorObserver(1);
    observer.see(values);
    return observer.propose(choice);
  };

  test("a histogram decides, up to a limit every number", () => {
    expect(bestScale(many, choice)).toEqual(observed(many));
    // Five positions, which a histogram knows to a bin.
    const places = normal(5, 9);
    const limit = Float32Array.from({ length: mostErrors }, (_, i) => places[i % 5]!);
    expect(bestScale(limit, choice)).not.toEqual(observed(limit));
    const above = Float32Array.of(...limit, places[0]!);
    expect(bestScale(above, choice)).toEqual(observed(above));
  });

  test("the scale is shortened by the error of all of them, and may become smaller", () => {
    const { scale, offset } = observed(many);
    const wanted = shortestScale(scale, summed(many, offset, choice));
    expect(bestScale(many, short)).toEqual({ scale: wanted, offset });
    expect(wanted, "a case that can tell one side from both").not.toBe(
      shortestScale(scale, summed(many, offset, choice), true),
    );
  });
});

test("of few numbers: the short scale is that of the best one, and offset and search do not know of it", () => {
  for (const seed of [3, 4, 5, 6]) {
    const values = normal(300, seed);
    const { scale, offset } = bestScale(values, choice);
    const wanted = shortestScale(scale, summed(values, offset, choice));
    expect(bestScale(values, short)).toEqual({ scale: wanted, offset });
    expect(wanted).not.toBe(scale);
  }
});

describe("a proposal with a short scale", () => {
  const proposed = { scale: 0.123456789, offset: -8 };

  test.each([
    ["few", few],
    ["as many as are counted at once", many.subarray(0, mostErrors)],
    ["many", many],
    ["twice as many", many.subarray(0, 2 * mostErrors)],
  ])("of %s numbers only grows, as far as their errors allow", (_, values) => {
    for (const scale of [0.123456789, 0.31, 0.4567]) {
      const one = { ...proposed, scale };
      const error = summed(values, -8, choice);
      const found = withShortScale(values, one, short);
      expect(found).toEqual({ scale: shortestScale(scale, error, true), offset: -8 });
      expect(found.scale).toBeGreaterThanOrEqual(scale);
      expect(withShortScale(values, one, short, false)).toEqual({ scale: shortestScale(scale, error), offset: -8 });
    }
  });

  test("numbers are handed to the kernel once where they fit, and no further pieces of them where one is too much", () => {
    const handed = vi.spyOn(kernel(), "errors");
    /** How many scales are tried, and how many pieces of the numbers are summed for that. */
    const work = (values: Float32Array, scale: number) => {
      handed.mockClear();
      let tried = 0;
      const error = summed(values, -8, choice);
      shortestScale(scale, (one) => {
        tried++;
        return error(one);
      });
      withShortScale(values, { scale, offset: -8 }, short, false);
      return { tried, pieces: handed.mock.calls.length };
    };
    expect(work(many.subarray(0, mostErrors), 0.31).pieces).toBe(1);
    const twice = work(many.subarray(0, 2 * mostErrors), 0.31);
    expect(twice.pieces).toBeLessThanOrEqual(2 * twice.tried);
    const thrice = work(many, 0.31);
    expect(thrice.pieces).toBeGreaterThan(thrice.tried);
    expect(thrice.pieces).toBeLessThan(3 * thrice.tried);
    handed.mockRestore();
  });

  test("with all steps of the grid", () => {
    const wide: GridChoice = { bits: 8, symmetric: true };
    const one = { scale: 0.0123456789, offset: -128 };
    expect(stepsOf(wide)).toBe(255);
    const wanted = shortestScale(one.scale, summed(few, -128, wide), true);
    expect(withShortScale(few, one, wide).scale).toBe(wanted);
  });
});
