/** Both roundings at every kind of tie, and against exact arithmetic. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { roundHalfAway, roundHalfEven } from "./rounding.ts";

test.each([
  [-127.5, -128, -128],
  [-2.5, -2, -3],
  [-1.5, -2, -2],
  [-0.5, 0, -1],
  [0.5, 0, 1],
  [1.5, 2, 2],
  [2.5, 2, 3],
  [127.5, 128, 128],
  // The nearest numbers below a half: adding a half to them returns a whole number.
  [0.49999999999999994, 0, 0],
  [-0.49999999999999994, 0, 0],
  [4503599627370495.5, 4503599627370496, 4503599627370496],
  [2 ** 53, 2 ** 53, 2 ** 53],
  [1e300, 1e300, 1e300],
])("%f", (x, even, away) => {
  expect(roundHalfEven(x)).toBeCloseTo(even, 15);
  expect(roundHalfAway(x)).toBeCloseTo(away, 15);
});

test("infinities stay and what is no number stays none", () => {
  for (const round of [roundHalfEven, roundHalfAway]) {
    expect(round(Infinity)).toBe(Infinity);
    expect(round(-Infinity)).toBe(-Infinity);
    expect(round(Number.NaN)).toBeNaN();
  }
});

test("the result is the nearest whole number, and only ties differ", () => {
  fc.assert(
    fc.property(fc.double({ min: -1e6, max: 1e6, noNaN: true }), (x) => {
      for (const round of [roundHalfEven, roundHalfAway]) {
        expect(Number.isInteger(round(x))).toBe(true);
        expect(Math.abs(round(x) - x)).toBeLessThanOrEqual(0.5);
      }
      if (Math.abs(x % 1) !== 0.5) expect(roundHalfEven(x) - roundHalfAway(x)).toBe(0);
    }),
  );
  fc.assert(
    fc.property(fc.integer({ min: -1e9, max: 1e9 }), (n) => {
      expect(roundHalfEven(n + 0.5) % 2 === 0).toBe(true);
      expect(Math.abs(roundHalfAway(n + 0.5))).toBe(Math.abs(n + 0.5) + 0.5);
    }),
  );
});
