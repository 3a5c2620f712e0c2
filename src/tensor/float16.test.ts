/** Half floats: every bit pattern against an independent conversion, every boundary between two of them. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromBfloat16Bits, fromFloat16Bits, toBfloat16Bits, toFloat16Bits } from "./float16.ts";

const view = new DataView(new ArrayBuffer(4));
const float32Of = (bits: number) => {
  view.setUint32(0, bits);
  return view.getFloat32(0);
};
const bitsOf = (x: number) => {
  view.setFloat32(0, x);
  return view.getUint32(0);
};

/** By moving bits, where the code under test multiplies: exponent and mantissa go into those of a float32. */
function independentFloat16(bits: number): number {
  const sign = (bits & 0x8000) << 16;
  const rest = bits & 0x7fff;
  if (rest >= 0x7c00) return float32Of((sign | 0x7f800000 | ((rest & 0x3ff) << 13)) >>> 0);
  // Read as a float32 with the exponent of float16, then scaled by the difference of the biases, 2¹¹².
  return float32Of((sign | (rest << 13)) >>> 0) * 2 ** 112;
}

describe("float16", () => {
  test("every bit pattern has its value and is found again", () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      const value = fromFloat16Bits(bits);
      if (Number.isNaN(value)) {
        expect(independentFloat16(bits)).toBeNaN();
        expect(toFloat16Bits(value) & 0x7fff).toBeGreaterThan(0x7c00);
      } else if (!Object.is(value, independentFloat16(bits)) || toFloat16Bits(value) !== bits) {
        expect.fail(`0x${bits.toString(16)} is ${value} and comes back as 0x${toFloat16Bits(value).toString(16)}`);
      }
    }
  });

  test("between any two neighbours the nearer one is taken, the even one at the middle", () => {
    for (let bits = 0; bits < 0x7c00; bits++) {
      const low = fromFloat16Bits(bits);
      // Above the largest value stands 65536, which is written as infinity.
      const high = bits === 0x7bff ? 65536 : fromFloat16Bits(bits + 1);
      const middle = (low + high) / 2; // exact in float32: one bit more than float16 has
      const before = float32Of(bitsOf(middle) - 1);
      const after = float32Of(bitsOf(middle) + 1);
      const got = [before, middle, after].map(toFloat16Bits);
      const even = bits % 2 === 0 ? bits : bits + 1;
      if (got[0] !== bits || got[1] !== even || got[2] !== bits + 1) {
        expect.fail(`between 0x${bits.toString(16)} and the next: ${got.map((b) => b.toString(16))}`);
      }
      expect(toFloat16Bits(-middle)).toBe(0x8000 | even);
    }
  });

  test("what is too small is zero, what is too large infinity", () => {
    expect([2 ** -25, 2 ** -26, 1e-45, 0].map(toFloat16Bits)).toEqual([0, 0, 0, 0]);
    expect(toFloat16Bits(2 ** -25 * (1 + 2 ** -23))).toBe(1);
    expect([-0, 65519.99, 65520, 1e38, Infinity, -Infinity].map(toFloat16Bits)).toEqual([
      0x8000, 0x7bff, 0x7c00, 0x7c00, 0x7c00, 0xfc00,
    ]);
  });
});

describe("bfloat16", () => {
  test("every bit pattern is the upper half of a float32 and is found again", () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      const value = fromBfloat16Bits(bits);
      if (Number.isNaN(value)) expect(toBfloat16Bits(value) & 0x7fff).toBeGreaterThan(0x7f80);
      else if (!Object.is(value, float32Of(bits * 0x10000)) || toBfloat16Bits(value) !== bits) {
        expect.fail(`0x${bits.toString(16)} is ${value} and comes back as ${toBfloat16Bits(value)}`);
      }
    }
  });

  test("any float32 goes to the nearer neighbour, the even one at the middle", () => {
    const check = (bits: number) => {
      const lower = bits >>> 16;
      const rest = bits & 0xffff;
      const up = rest > 0x8000 || (rest === 0x8000 && lower % 2 === 1);
      expect(toBfloat16Bits(float32Of(bits))).toBe(up ? lower + 1 : lower);
    };
    for (const rest of [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff]) {
      for (let upper = 0; upper < 0x7f80; upper += 7) check(upper * 0x10000 + rest);
    }
    fc.assert(fc.property(fc.integer({ min: 0, max: 0x7f7fffff }), check), { numRuns: 2000 });
  });

  test("infinity stays, and rounding may reach it", () => {
    expect([Infinity, -Infinity, 3.4028235e38].map(toBfloat16Bits)).toEqual([0x7f80, 0xff80, 0x7f80]);
  });
});
