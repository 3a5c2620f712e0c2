/** The range of least expected error against sums over quantiles, and what bounds, gains and carried ends make of it. */
import { describe, expect, test } from "vitest";
import { affineOfRange, type GridChoice } from "../../quant/inner.ts";
import { clipped, normal } from "../expectations/expectation.ts";
import { LeastErrorObserver, logistic } from "./least-error.ts";

const unsigned = (bits: number): GridChoice => ({ bits, symmetric: false });
const ends = (observer: LeastErrorObserver, choice: GridChoice) => {
  const { scale, offset } = observer.propose(choice);
  return [scale * offset, scale * (offset + 2 ** choice.bits - 1)] as const;
};

/** A fine grid of ± 14 deviations, and the density of a logistic distribution with unit variance: sech² in closed form. */
const places = Array.from({ length: 40_001 }, (_, i) => (28 * i) / 40_000 - 14);
const density = places.map((z) => Math.PI / Math.sqrt(3) / (4 * Math.cosh((Math.PI * z) / (2 * Math.sqrt(3))) ** 2));
const integral = (f: (z: number) => number) =>
  (places.reduce((sum, z, i) => sum + f(z) * density[i]!, 0) * 28) / 40_000;

test("the distribution has unit variance, and its shares are the integral of its density", () => {
  expect(integral((z) => z * z)).toBeCloseTo(1, 6);
  for (const end of [-7, -1.4, 0.7, 3.5]) {
    // The last place counts half in the trapezoid rule.
    expect(integral((z) => (z < end - 1e-9 ? 1 : z < end + 1e-9 ? 0.5 : 0))).toBeCloseTo(logistic(end), 6);
  }
});

/** E (x − x̂)², where what is clipped counts twice. */
function cost(low: number, high: number, choice: GridChoice): number {
  const { scale, offset } = affineOfRange(low, high, choice);
  const last = offset + 2 ** choice.bits - 1;
  return integral((x) => {
    const step = Math.min(Math.max(Math.round(x / scale), offset), last);
    return (x - step * scale) ** 2 * (x < scale * offset || x > scale * last ? 2 : 1);
  });
}

describe("one channel around zero", () => {
  test.each([3, 4, 6, 8])("on %i bits loses as little as the best of many ranges", (bits) => {
    const choice = unsigned(bits);
    const [low, high] = ends(new LeastErrorObserver(normal(1, [0], [1], 6, "batch-norm"), 6, null), choice);
    const best = Math.min(...Array.from({ length: 100 }, (_, i) => cost(-1 - i / 10, 1 + i / 10, choice)));
    // A bin is a fiftieth of a deviation, and the ends of these candidates lie a tenth apart.
    expect(cost(low, high, choice)).toBeLessThan(best * 1.02);
  });

  test("wider grids keep more deviations", () => {
    const reach = [2, 4, 6, 8, 16].map((bits) => {
      return ends(new LeastErrorObserver(normal(1, [0], [1], 6, "batch-norm"), 6, null), unsigned(bits))[1];
    });
    expect(reach).toEqual(reach.toSorted((a, b) => a - b));
    expect(reach.at(-1)!).toBeGreaterThan(9);
  });
});

test("the size of the numbers does not matter", () => {
  const at = (size: number) =>
    ends(new LeastErrorObserver(normal(1, [size], [2 * size], 6, "batch-norm"), 6, null), unsigned(8));
  const [low, high] = at(1);
  const [small, large] = at(2 ** -10);
  expect(small * 2 ** 10).toBeCloseTo(low, 9);
  expect(large * 2 ** 10).toBeCloseTo(high, 9);
});

test("a bound that numbers reach ends the range, and zero costs nothing", () => {
  const six = clipped(normal(1, [4], [3], 6, "batch-norm"), [0], [6]);
  expect(ends(new LeastErrorObserver(six, 6, null), unsigned(8))[1]).toBeCloseTo(6, 1);
  expect(ends(new LeastErrorObserver(six, 6, null), unsigned(8))[0]).toBe(0);
  // Nearly always zero: what is left decides as if the zeros were not there.
  const rare = clipped(normal(1, [-2], [1], 6, "batch-norm"), [0], [Number.POSITIVE_INFINITY]);
  const reach = ends(new LeastErrorObserver(rare, 6, null), unsigned(8))[1];
  expect(reach).toBeGreaterThan(2);
  expect(reach).toBeLessThan(8);
});

describe("two channels, one of them ten times as wide", () => {
  const x = normal(1, [0, 0], [1, 10], 6, "batch-norm");
  const reach = (above: readonly number[], axis = 1) => {
    const gains = { above: Float64Array.from(above), below: Float64Array.from(above) };
    return ends(new LeastErrorObserver({ ...x, axis }, 6, gains), unsigned(8))[1];
  };
  const narrow = ends(new LeastErrorObserver(normal(1, [0], [1], 6, "batch-norm"), 6, null), unsigned(8))[1];
  const alike = ends(new LeastErrorObserver(x, 6, null), unsigned(8))[1];

  test("the one that nobody reads is not kept", () => {
    expect(reach([1, 0])).toBeCloseTo(narrow, 0);
    expect(reach([0, 1])).toBeCloseTo(10 * narrow, 0);
    expect(reach([1, 1e-3])).toBeLessThan(alike);
  });

  test("gains of another axis or number of channels are those of other channels", () => {
    expect(reach([1, 0], 2)).toBe(alike);
    expect(reach([1, 0, 0])).toBe(alike);
  });
});

test("ends that were carried farther than the deviation says count, each side for itself", () => {
  const carried = normal(1, [1], [1], { low: [-5], high: [25] }, "propagated");
  const [low, high] = ends(new LeastErrorObserver(carried, 6, null), unsigned(8));
  const plain = ends(new LeastErrorObserver(normal(1, [1], [1], 6, "batch-norm"), 6, null), unsigned(8));
  expect(high - 1).toBeGreaterThan(3 * (plain[1] - 1));
  expect(low).toBeGreaterThan(-6);
});

test("a value that never varies", () => {
  const [low, high] = ends(new LeastErrorObserver(normal(1, [3], [0], 6, "batch-norm"), 6, null), unsigned(8));
  expect(low).toBe(0);
  // One of 1,023 bins.
  expect(Math.abs(high - 3)).toBeLessThanOrEqual(3 / 1023);
});
