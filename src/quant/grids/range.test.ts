/** Ranges to encodings against AIMET's numbers (C++ 2.42 and its published unit tests). */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { IntGrid } from "./codec.ts";
import { encodingMax, encodingMin } from "./encoding.ts";
import { parseGrid } from "./grid.ts";
import { affineOfRange, rangeOfAffine } from "./range.ts";
import { encodingOfRange } from "./ranged-encoding.ts";
import { shortScale } from "./short-scale.ts";

const int8 = parseGrid("int8") as IntGrid;

describe("scale and offset of a range", () => {
  test.each([
    // bits, symmetric, narrowRange, unsigned symmetric, min, max, expected min, expected max, expected offset
    [2, true, false, false, -10.5, 10.5, -10.5, 5.25, -2],
    [2, false, false, false, -10.5, 10.5, -14, 7, -2],
    [3, true, false, false, -10.5, 10.5, -14, 10.5, -4],
    [3, false, false, false, -10.5, 10.5, -12, 9, -4],
    [3, false, false, false, -5, 10, -4.285714285714286, 10.714285714285714, -2],
    [3, true, true, false, -5, 5, -5, 5, -3],
    [8, true, false, false, -10, 1, -10, (10 * 127) / 128, -128],
    [8, true, false, false, -1, 10, (-10 * 128) / 127, 10, -128],
    [8, true, true, false, -10, 1, -10, 10, -127],
    [8, true, false, true, 0, 51, 0, 51, 0],
    [8, true, false, true, -51, 0, -51, (51 * 127) / 128, -128],
    // zero is always inside
    [8, false, false, false, 0.5, 1, 0, 1, 0],
    [8, false, false, false, -0.5, -0.1, -0.5, 0, -255],
  ])(
    "%i bits, symmetric %s, narrow %s, unsigned %s: %f … %f",
    (bits, symmetric, narrowRange, unsignedSymmetric, min, max, low, high, offset) => {
      const choice = { bits, symmetric, narrowRange, unsignedSymmetric };
      const found = affineOfRange(min, max, choice);
      const [a, b] = rangeOfAffine(found, choice);
      expect(found.offset).toBe(offset);
      // Double arithmetic on both sides; a few roundings.
      expect(a).toBeCloseTo(low, 12);
      expect(b).toBeCloseTo(high, 12);
    },
  );

  test("a scale has a floor, so that an all-zero value has a grid", () => {
    expect(affineOfRange(0, 0, { bits: 8, symmetric: false })).toEqual({ scale: 1.1920929e-7, offset: 0 });
    expect(affineOfRange(0, 0, { bits: 8, symmetric: true })).toEqual({ scale: 1.1920929e-7, offset: -128 });
    expect(affineOfRange(0, 0, { bits: 16, symmetric: true }).scale).toBe(1.1920929e-7);
    expect(affineOfRange(0, 0, { bits: 32, symmetric: true }).scale).toBe(2.33e-12);
  });

  test("an offset is never −0, which would be printed and compared as another number", () => {
    for (const min of [0, -0, -1e-9, 0.5]) {
      expect(Object.is(affineOfRange(min, 1, { bits: 8, symmetric: false }).offset, 0)).toBe(true);
    }
  });

  test("a short scale is the least one of its kind that covers the range", () => {
    // 255 steps over 0 … 51 are 0.2 = 1.6 · 2^−3: the next of 2^k and 3 · 2^k is 2 · 2^−3.
    const choice = { bits: 8, symmetric: false };
    expect(affineOfRange(0, 51, { ...choice, shortScale: false }).scale).toBe(0.2);
    expect(affineOfRange(0, 51, { ...choice, shortScale: "coarse" }).scale).toBe(0.25);
    // 1.4 · 2^−3 lies below 1.5 · 2^−3.
    expect(affineOfRange(0, 255 * 0.175, { ...choice, shortScale: "coarse" }).scale).toBe(0.1875);
    const { scale } = affineOfRange(0, 51, { ...choice, shortScale: true });
    expect(scale).toBe(shortScale(0.2));
    expect(scale).not.toBe(0.25);
    expect(scale).toBeGreaterThanOrEqual(0.2);
    const mirrored = affineOfRange(-51, 51, { bits: 8, symmetric: true, shortScale: "coarse" });
    expect(mirrored).toEqual({ scale: 0.5, offset: -128 });
  });

  test("one range is one slice, of the whole tensor", () => {
    expect(encodingOfRange(-1, 127, { grid: int8, symmetric: true })).toEqual({
      grid: int8,
      granularity: { kind: "tensor" },
      symmetric: true,
      scale: [1],
      offset: [-128],
    });
  });

  test("offsets are rounded half away from zero", () => {
    // 255 steps over −127.5 … 127.5: the exact tie of a symmetric input.
    expect(affineOfRange(-127.5, 127.5, { bits: 8, symmetric: false }).offset).toBe(-128);
    expect(affineOfRange(-0.5, 254.5, { bits: 8, symmetric: false }).offset).toBe(-1);
    expect(affineOfRange(-2.5, 252.5, { bits: 8, symmetric: false }).offset).toBe(-3);
  });

  test("infinite bounds count as the largest float32, NaN is refused", () => {
    const { scale, offset } = affineOfRange(Number.NEGATIVE_INFINITY, 3, { bits: 8, symmetric: false });
    expect(scale).toBeCloseTo((0.99 * 3.4028234663852886e38) / 255, -30);
    expect(offset).toBe(-255);
    expect(() => affineOfRange(Number.NaN, 1, { bits: 8, symmetric: false })).toThrow("expected a range of numbers");
  });

  test("blocks of a weight (AIMET's 2 × 2 example)", () => {
    const e = encodingOfRange([-5.4, -2, -10, -0.1], [10, 23.1, 0, 0.3], {
      grid: int8,
      symmetric: true,
      granularity: { kind: "channel", axis: 0 },
    });
    expect(e.offset).toEqual([-128, -128, -128, -128]);
    const highs = e.scale.map((_, i) => encodingMax(e, i));
    for (const [i, high] of [10, 23.1, (10 * 127) / 128, 0.3].entries()) expect(highs[i]).toBeCloseTo(high, 12);
    expect(encodingMin(e, 2)).toBeCloseTo(-10, 12);
  });

  test("every number between the ends is within half a step of the grid, and zero is on it", () => {
    const number = fc.double({ min: -1e6, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(
        number,
        number,
        fc.integer({ min: 2, max: 16 }),
        fc.boolean(),
        fc.boolean(),
        (a, b, bits, symmetric, narrowRange) => {
          const [min, max] = a < b ? [a, b] : [b, a];
          const choice = { bits, symmetric, narrowRange };
          const found = affineOfRange(min, max, choice);
          const [low, high] = rangeOfAffine(found, choice);
          const reach = symmetric && bits === 2 && !narrowRange ? 1 : 0.5;
          expect(Number.isInteger(found.offset)).toBe(true);
          expect(found.offset <= 0 && low <= 0 && high >= 0).toBe(true);
          // Two bits symmetric trade one step of the upper end for a finer scale (AIMET's rule).
          expect(low - Math.min(min, 0)).toBeLessThanOrEqual(found.scale * 0.5000001);
          expect(Math.max(max, 0) - high).toBeLessThanOrEqual(found.scale * (reach + 1e-6));
        },
      ),
    );
  });
});
