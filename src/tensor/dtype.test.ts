/** Element types: numbers and names of ONNX, sizes, and what holds them. */
import { expect, test } from "vitest";
import { arrayKind, byteLength, type DType, dtypeOfOnnx, dtypes, isFloat } from "./dtype.ts";

const all = Object.keys(dtypes) as DType[];

test("the numbers are those of TensorProto.DataType, each once", () => {
  // From onnx.proto 1.23: UNDEFINED is 0, FLOAT is 1, INT2 is 26.
  const inOrder = all.sort((a, b) => dtypes[a].onnx - dtypes[b].onnx);
  expect(inOrder.map((dtype) => dtypes[dtype].onnx)).toEqual(Array.from({ length: 26 }, (_, i) => i + 1));
  expect(inOrder.join(" ")).toBe(
    "float32 uint8 int8 uint16 int16 int32 int64 string bool float16 float64 uint32 uint64 complex64 complex128 " +
      "bfloat16 float8e4m3fn float8e4m3fnuz float8e5m2 float8e5m2fnuz uint4 int4 float4e2m1 float8e8m0 uint2 int2",
  );
  for (const dtype of all) expect(dtypeOfOnnx(dtypes[dtype].onnx)).toBe(dtype);
  expect([dtypeOfOnnx(0), dtypeOfOnnx(27), dtypeOfOnnx(-1)]).toEqual([undefined, undefined, undefined]);
});

test("bits, kinds and arrays agree", () => {
  for (const dtype of all.filter((d) => d !== "string")) {
    const { bits, kind } = dtypes[dtype];
    const bytes = arrayKind(dtype).BYTES_PER_ELEMENT;
    expect(bytes * 8, dtype).toBe(kind === "complex" ? bits / 2 : Math.max(bits, 8));
    expect(isFloat(dtype)).toBe(kind === "float");
    const width = /[0-9]+/.exec(dtype);
    if (width && kind !== "complex") expect(Number(width[0])).toBe(bits);
  }
  expect(() => arrayKind("string")).toThrow(/internal/);
});

test("types under a byte are packed", () => {
  expect([0, 1, 2, 3].map((count) => byteLength("int4", count))).toEqual([0, 1, 1, 2]);
  expect([0, 1, 4, 5].map((count) => byteLength("uint2", count))).toEqual([0, 1, 1, 2]);
  expect([byteLength("float32", 3), byteLength("complex128", 2), byteLength("bool", 3)]).toEqual([12, 32, 3]);
});
