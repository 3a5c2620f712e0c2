/** Interval arithmetic against corners and against functions evaluated between the bounds. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { constants, hull, type Intervals, linear, overall, product, rising, sum, uniform } from "./math.ts";

const between = (...bounds: readonly (readonly [number, number])[]): Intervals => ({
  lo: Float64Array.from(bounds, ([lo]) => lo),
  hi: Float64Array.from(bounds, ([, hi]) => hi),
});
const boundsOf = ({ lo, hi }: Intervals) => Array.from(lo, (low, c) => [low, hi[c]!]);
const interval = fc
  .tuple(fc.integer({ min: -9, max: 9 }), fc.integer({ min: 0, max: 9 }))
  .map(([lo, width]) => [lo, lo + width] as const);

test("bounds of all channels, one by one and together", () => {
  expect(boundsOf(uniform(2, -1, 3))).toEqual([
    [-1, 3],
    [-1, 3],
  ]);
  expect(overall(between([2, 5], [-1, 3], [4, 4]))).toEqual([-1, 5]);
  expect(overall(between())).toEqual([Infinity, -Infinity]);
  expect(boundsOf(rising(between([1, 2], [3, 4]), (x, c) => 10 * x + c))).toEqual([
    [10, 20],
    [31, 41],
  ]);
  expect(boundsOf(hull(between([1, 2], [-4, 9]), between([0, 1], [-1, 12])))).toEqual([
    [0, 2],
    [-4, 12],
  ]);
});

test("sums and products reach from their least corner to their largest", () => {
  fc.assert(
    fc.property(interval, interval, ([a, b], [c, d]) => {
      const corners = (f: (x: number, y: number) => number) =>
        [f(a, c), f(a, d), f(b, c), f(b, d)].sort((x, y) => x - y);
      const [sums, products] = [corners((x, y) => x + y), corners((x, y) => x * y)];
      // Adding zero makes the −0 of a product 0.
      const [low, high] = boundsOf(product(between([a, b]), between([c, d])))[0]!;
      expect([low! + 0, high! + 0]).toEqual([products[0]! + 0, products[3]! + 0]);
      expect(boundsOf(sum(between([a, b]), between([c, d])))).toEqual([[sums[0], sums[3]]]);
    }),
  );
});

test("an infinity is a number that is not known: nothing of it is left behind a factor of zero", () => {
  const unknown = between([-Infinity, Infinity]);
  expect(boundsOf(product(unknown, between([0, 0])))).toEqual([[0, 0]]);
  expect(boundsOf(product(between([0, 0]), unknown))).toEqual([[0, 0]]);
  expect(boundsOf(product(unknown, between([0, 2])))).toEqual([[-Infinity, Infinity]]);
  const first = { output: () => 0, input: () => 0 };
  expect(boundsOf(linear([0], first, [5], unknown))).toEqual([[5, 5]]);
  expect(boundsOf(linear([2], first, [5], between([0, Infinity])))).toEqual([[5, Infinity]]);
});

test("a linear layer reaches exactly the bounds that its inputs' ends give", () => {
  const inputs = 3;
  const at = { output: (i: number) => Math.floor(i / inputs), input: (i: number) => i % inputs };
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -5, max: 5 }), { minLength: 6, maxLength: 6 }),
      fc.array(interval, { minLength: inputs, maxLength: inputs }),
      fc.constantFrom(1, -2),
      (weight, bounds, factor) => {
        const found = boundsOf(linear(weight, at, [1, -1], between(...bounds), factor));
        for (const output of [0, 1]) {
          const values = Array.from({ length: 2 ** inputs }, (_, corner) =>
            bounds.reduce(
              (total, ends, k) => total + factor * weight[output * inputs + k]! * ends[(corner >> k) & 1]!,
              [1, -1][output]!,
            ),
          );
          expect(found[output]).toEqual([Math.min(...values), Math.max(...values)]);
        }
      },
    ),
  );
  expect(boundsOf(linear([3], { output: () => 0, input: () => 0 }, [0], between([1, 2])))).toEqual([[3, 6]]);
});

test("constant is what float32 cannot tell from one number", () => {
  const constant = (lo: number, hi: number) => constants(between([lo, hi]))[0];
  expect(constant(2, 2)).toBe(2);
  expect(constant(0, 1e-9)).toBe(0);
  expect(constant(1e-10, 5e-10)).toBeCloseTo(3e-10, 20);
  expect(constant(0, 2e-9)).toBeNaN();
  // A millionth of the number itself, on either side of zero.
  expect(constant(1000, 1000.0005)).toBe(1000.00025);
  expect(constant(-1000.0005, -1000)).toBe(-1000.00025);
  expect(constant(1000, 1000.01)).toBeNaN();
  // Of the end that is nearer to zero.
  expect(constant(999_999, 1_000_000)).toBeNaN();
  expect(constant(1_000_000, 1_000_001)).toBe(1_000_000.5);
  // Zero where it is between: other channels add exactly nothing then.
  expect(constant(-4e-10, 1e-10)).toBe(0);
  expect(constant(-4e-10, 0)).toBe(0);
  expect(constant(-Infinity, Infinity)).toBeNaN();
  expect(constant(Infinity, Infinity)).toBeNaN();
  expect(constant(1, Infinity)).toBeNaN();
});
