/** What fits into half precision, by the numbers of the format: it ends at 65,504, its smallest step is 2⁻²⁴. */
import { expect, test } from "vitest";
import { Tensor } from "../../tensor/inner.ts";
import { halfConstant, halfRefusal, isTooSmall } from "./half-constant.ts";

const of = (...numbers: number[]) => halfConstant("w", Tensor.float32([numbers.length], Float32Array.from(numbers)));

test("a constant that fits is rounded; infinities and what is no number stay", () => {
  const found = of(1, -2, 65504, Number.POSITIVE_INFINITY, Number.NaN);
  expect([found.refused, found.clamped]).toEqual([undefined, undefined]);
  // Sign, five bits of the exponent, ten of the fraction.
  expect([...found.load()].slice(0, 4)).toEqual([0x3c00, 0xc000, 0x7bff, 0x7c00]);
  expect(found.load()[4]! & 0x7c00, "an exponent of ones").toBe(0x7c00);
  expect(found.load()[4]! & 0x3ff).not.toBe(0);
});

test("an infinity is no number that does not fit", () => {
  expect(of(1, Number.POSITIVE_INFINITY).refused).toBeUndefined();
  expect(of(Number.NEGATIVE_INFINITY, 1).refused).toBeUndefined();
});

test("one that reaches further is refused, and would end at the end", () => {
  const found = of(3, -70000);
  expect(found.refused).toBe("w holds 7.00e+4: half precision ends at 65504");
  expect(found.clamped).toBe(true);
  expect([...found.load()]).toEqual([0x4200, 0xfbff]);
  expect([...of(1e9).load()]).toEqual([0x7bff]);
});

test("one without a number of any size is refused", () => {
  expect(of(1e-8, -2e-8).refused).toBe("w holds nothing above 2.00e-8, where half precision has few digits");
  expect(of(1e-8, 1).refused).toBeUndefined();
  expect(of(0, 0).refused, "zeros lose nothing").toBeUndefined();
});

test("a magnitude is too small where a step is more than a fiftieth of it", () => {
  expect([isTooSmall(2 ** -14), isTooSmall(2 ** -24), isTooSmall(1.4 * 2 ** -24), isTooSmall(0)]).toEqual([
    false,
    false,
    true,
    false,
  ]);
});

test("a value that was observed may be half as large as the format", () => {
  expect(halfRefusal(Number.NaN)).toBe("holds what is no number");
  expect(halfRefusal(32752)).toBeUndefined();
  expect(halfRefusal(32753)).toBe("reaches 3.28e+4, and half precision ends at 65504");
  expect(halfRefusal(1e-8)).toBe("stays below 1.00e-8, where half precision has few digits");
  expect(halfRefusal(1)).toBeUndefined();
});
