/** What every observer must hold to, whatever its scheme; a member that cannot lists the test and the reason. */
import { describe, expect, test } from "vitest";
import { Random } from "../../base/inner.ts";
import { type Affine, type GridChoice, rangeOfAffine, stepsOf } from "../grids/range.ts";
import type { Observer } from "./observer.ts";

export interface Skip {
  readonly test: string;
  readonly because: string;
}

const byte: GridChoice = { bits: 8, symmetric: false };
const signed: GridChoice = { bits: 8, symmetric: true };

function normal(count: number, seed: number, mean = 0, deviation = 1): Float32Array {
  const random = new Random(seed);
  // Twelve uniforms: near enough to a normal distribution, and without infinite tails.
  return Float32Array.from({ length: count }, () => {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += random.uniform();
    return mean + deviation * sum;
  });
}

/** Σ (x − x̂)² / n under scale and offset. */
export function errorOf(values: Float32Array, { scale, offset }: Affine, choice: GridChoice): number {
  let sum = 0;
  for (const x of values) {
    const q = Math.min(Math.max(Math.round(x / scale), offset), offset + stepsOf(choice));
    sum += (x - q * scale) ** 2;
  }
  return sum / values.length;
}

/** Runs the suite for one observer. */
export function observerSuite(name: string, make: () => Observer, skips: readonly Skip[] = []): void {
  const check = (title: string, body: () => void) => {
    const skip = skips.find((s) => s.test === title);
    if (skip) test.skip(`${title} (${skip.because})`, () => {});
    else test(title, body);
  };
  const observerOf = (...batches: Float32Array[]): Observer => {
    const observer = make();
    for (const batch of batches) observer.see(batch);
    return observer;
  };

  describe(name, () => {
    check("says so before the first number", () => {
      expect(() => make().propose(byte)).toThrow("expected at least one number");
      expect(() => observerOf(new Float32Array(0)).propose(byte)).toThrow("expected at least one number");
    });

    check("a constant tensor gives a range that holds it", () => {
      for (const constant of [4, -5, 1e-3]) {
        const [min, max] = rangeOfAffine(observerOf(new Float32Array(100).fill(constant)).propose(byte), byte);
        // Histogram schemes know the constant to one bin, that is 1/500 of it.
        expect(Math.min(max, Math.max(constant, min))).toBeCloseTo(
          constant,
          1 - Math.floor(Math.log10(Math.abs(constant))),
        );
        expect(min <= 0 && max >= 0).toBe(true);
      }
    });

    check("all zeros give a positive scale with zero on the grid", () => {
      for (const choice of [byte, signed]) {
        const { scale, offset } = observerOf(new Float32Array(50)).propose(choice);
        expect(scale).toBeGreaterThan(0);
        expect(Number.isInteger(offset) && offset <= 0 && offset >= -stepsOf(choice) - 1).toBe(true);
      }
    });

    check("refuses NaN and infinities", () => {
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        // First and later batches take different paths; so do the last numbers of a batch whose size is odd.
        expect(() => observerOf(Float32Array.of(1, 2, bad, 3))).toThrow("expected finite numbers");
        expect(() => observerOf(Float32Array.of(1, 2, 3), Float32Array.of(1, 2, 3, 1, bad))).toThrow(
          "expected finite numbers",
        );
      }
    });

    check("batch order does not matter", () => {
      const batches = [normal(500, 1), normal(300, 2, 3, 2), normal(701, 3, -1, 5)];
      const [a, b, c] = batches as [Float32Array, Float32Array, Float32Array];
      const wanted = observerOf(a, b, c).propose(byte);
      for (const order of [
        [a, c, b],
        [c, b, a],
        [b, a, c],
      ])
        expect(observerOf(...order).propose(byte)).toEqual(wanted);
    });

    check("splitting a batch does not matter", () => {
      const all = normal(1000, 4, 1, 2);
      expect(observerOf(all.subarray(0, 333), all.subarray(333)).propose(byte)).toEqual(observerOf(all).propose(byte));
    });

    check("a single element", () => {
      const [min, max] = rangeOfAffine(observerOf(Float32Array.of(2.5)).propose(byte), byte);
      expect(min).toBeCloseTo(0, 6);
      expect(max).toBeGreaterThan(2.4);
    });

    check("huge and tiny values stay finite and positive", () => {
      for (const magnitude of [3.4e38, 1e30, 1e-30, 1e-38]) {
        for (const bits of [2, 4, 8, 16]) {
          for (const symmetric of [false, true]) {
            const choice = { bits, symmetric };
            const { scale, offset } = observerOf(Float32Array.of(-magnitude, 0, magnitude / 2)).propose(choice);
            expect(scale > 0 && Number.isFinite(scale)).toBe(true);
            expect(offset <= 0 && offset >= -stepsOf(choice) - 1).toBe(true);
          }
        }
      }
    });

    check("symmetric grids are symmetric", () => {
      const observer = observerOf(normal(2000, 5, 0.5, 1));
      expect(observer.propose(signed).offset).toBe(-128);
      expect(observer.propose({ ...signed, narrowRange: true }).offset).toBe(-127);
      const positive = observerOf(normal(2000, 6).map(Math.abs));
      expect(positive.propose({ ...signed, unsignedSymmetric: true }).offset).toBe(0);
      expect(positive.propose(signed).offset).toBe(-128);
    });

    check("more bits, less error", () => {
      const values = normal(4000, 7, 0.3, 2);
      const observer = observerOf(values);
      for (const symmetric of [false, true]) {
        let before = Number.POSITIVE_INFINITY;
        for (let bits = 2; bits <= 8; bits++) {
          const choice = { bits, symmetric };
          const error = errorOf(values, observer.propose(choice), choice);
          // A third per bit is far less than the sixteenth to hope for: clipping may dominate.
          expect(error).toBeLessThan(before);
          before = error;
        }
      }
    });

    check("a normal distribution is covered to two deviations and not beyond six", () => {
      const [min, max] = rangeOfAffine(observerOf(normal(6000, 8, 2, 2)).propose(byte), byte);
      expect(max).toBeGreaterThan(2 + 2 * 2);
      expect(max).toBeLessThan(2 + 6 * 2);
      expect(min).toBeLessThan(2 - 2 * 2);
      expect(min).toBeGreaterThan(2 - 6 * 2);
    });

    check("says what it saw", () => {
      const values = normal(3000, 9);
      const { min, max, count, histogram } = observerOf(values).statistics();
      expect(count).toBe(3000);
      expect(min).toBe(Math.min(...values));
      expect(max).toBe(Math.max(...values));
      if (histogram === null) return;
      expect(histogram.counts.length).toBeGreaterThan(64);
      expect(histogram.counts.length).toBeLessThanOrEqual(256);
      expect(histogram.counts.reduce((a, b) => a + b)).toBeCloseTo(3000, 6);
      expect(histogram.left).toBeLessThanOrEqual(min);
    });
  });
}
