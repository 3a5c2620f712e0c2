/** Packing of 2- and 4-bit integers: the example of ONNX, and back again for any values. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { packBits, unpackBits } from "./packing.ts";

test("the first element lies in the lowest bits", () => {
  // onnx/docs/technical/int4.md: "1, 2 → 0x21", an odd count is filled with zero.
  expect([...packBits([1, 2, 3], 4)]).toEqual([0x21, 0x03]);
  expect([...packBits([-1, -8, 7], 4)]).toEqual([0x8f, 0x07]);
  expect([...packBits([1, 2, 3, 0, -2], 2)]).toEqual([0b00_11_10_01, 0b10]);
  expect([...packBits([], 4)]).toEqual([]);
});

test("what was packed is unpacked", () => {
  for (const bits of [2, 4] as const) {
    const half = 2 ** (bits - 1);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -half, max: half - 1 })), (values) => {
        expect([...unpackBits(packBits(values, bits), bits, true, values.length)]).toEqual(values);
      }),
    );
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 2 * half - 1 })), (values) => {
        expect([...unpackBits(packBits(values, bits), bits, false, values.length)]).toEqual(values);
      }),
    );
  }
});
