/** Floats of 4 and 8 bits: the values of the papers, and ONNX Runtime's Cast as oracle for rounding. */
import { describe, expect, test } from "vitest";
import { outputsOf } from "../../test/same-outputs.ts";
import { parseModel } from "../ir/inner.ts";
import { dtypes } from "./dtype.ts";
import { fromFloat8Bits, isShortFloat, type ShortFloat, toFloat8Bits } from "./float8.ts";
import { Tensor } from "./tensor.ts";

const types = (Object.keys(dtypes) as ShortFloat[]).filter(isShortFloat);
const codes = (dtype: ShortFloat) => Array.from({ length: 2 ** dtypes[dtype].bits }, (_, code) => code);

test("there are six of them", () => {
  expect(types.join(" ")).toBe("float8e4m3fn float8e4m3fnuz float8e5m2 float8e5m2fnuz float4e2m1 float8e8m0");
});

/** Largest, smallest normal and smallest value: table 1 of Micikevicius et al. 2022, and of Noune et al. 2022 for fnuz. */
test.each<[ShortFloat, number, number, number]>([
  ["float8e4m3fn", 448, 2 ** -6, 2 ** -9],
  ["float8e5m2", 57344, 2 ** -14, 2 ** -16],
  ["float8e4m3fnuz", 240, 2 ** -7, 2 ** -10],
  ["float8e5m2fnuz", 57344, 2 ** -15, 2 ** -17],
  ["float4e2m1", 6, 1, 0.5],
])("%s reaches from %f to %f", (dtype, largest, normal, smallest) => {
  const values = codes(dtype).map((code) => fromFloat8Bits(dtype, code));
  const positive = values.filter((v) => v > 0 && Number.isFinite(v));
  expect([Math.max(...positive), Math.min(...positive)]).toEqual([largest, smallest]);
  expect(positive).toContain(normal);
});

test("infinity and NaN", () => {
  const special = (dtype: ShortFloat) => codes(dtype).filter((code) => !Number.isFinite(fromFloat8Bits(dtype, code)));
  expect(special("float8e4m3fn")).toEqual([0x7f, 0xff]);
  expect(special("float8e5m2")).toEqual([0x7c, 0x7d, 0x7e, 0x7f, 0xfc, 0xfd, 0xfe, 0xff]);
  expect([special("float8e4m3fnuz"), special("float8e5m2fnuz")]).toEqual([[0x80], [0x80]]);
  expect([special("float4e2m1"), special("float8e8m0")]).toEqual([[], [0xff]]);
  expect([fromFloat8Bits("float8e5m2", 0x7c), fromFloat8Bits("float8e5m2", 0xfc)]).toEqual([Infinity, -Infinity]);
});

test("every value comes back as the code it has", () => {
  for (const dtype of types) {
    for (const code of codes(dtype)) {
      const value = fromFloat8Bits(dtype, code);
      if (Number.isFinite(value)) expect(toFloat8Bits(dtype, value), `${dtype} ${code}`).toBe(code);
    }
  }
});

test("powers of two round up, so that what is scaled by them fits", () => {
  expect([1, 1.0001, 2, 3, 0.75].map((x) => toFloat8Bits("float8e8m0", x))).toEqual([127, 128, 128, 129, 127]);
  expect([0, -1, 2 ** -127, 3e38, Infinity, Number.NaN].map((x) => toFloat8Bits("float8e8m0", x))).toEqual([
    0, 0, 0, 0xfe, 0xfe, 0xff,
  ]);
});

/** Every value of the type, the middles between them, the float32 numbers next to those, and what lies beyond. */
function boundaries(dtype: ShortFloat): number[] {
  const values = codes(dtype)
    .map((code) => fromFloat8Bits(dtype, code))
    .filter(Number.isFinite)
    .sort((a, b) => a - b);
  const middles = values.slice(1).map((v, i) => (v + values[i]!) / 2);
  const beside = middles.flatMap((m) => [Math.fround(m * (1 + 2 ** -23)), Math.fround(m * (1 - 2 ** -23))]);
  return [...values, ...middles, ...beside, 1e6, -1e6, 3e38, Infinity, -Infinity, Number.NaN, -0, 1e-30];
}

describe("rounding is that of ONNX Runtime", () => {
  test.each(types.filter((dtype) => /^float8e[45]/.test(dtype)))("%s", async (dtype) => {
    const numbers = boundaries(dtype);
    const model = parseModel(`(float[N] x) => (float[N] y) {
      short = Cast(x) <to = ${dtypes[dtype].onnx}, saturate = 1>
      y = Cast(short) <to = 1>
    }`);
    const { y } = await outputsOf(model, { x: Tensor.float32([numbers.length], numbers) });
    const ours = numbers.map((x) => fromFloat8Bits(dtype, toFloat8Bits(dtype, Math.fround(x))));
    expect(ours.map((v, i) => `${numbers[i]} → ${v}`)).toEqual(y!.numbers().map((v, i) => `${numbers[i]} → ${v}`));
  });
});
