/** The value of a quantized model that stands for a float one. */
import { expect, test } from "vitest";
import { parseModel, tensorType } from "../../ir/inner.ts";
import { counterparts, readShipped } from "../inner.ts";

const float = parseModel(
  `f (float[1,4] x) => (float[1,4] y) <float[4,4] w> {
    a = MatMul(x, w)
    b = Relu(a)
    y = Tanh(b) }`,
  { seed: 1 },
);

const quantized = parseModel(
  `f (float[1,4] x) => (float[1,4] y) <float[4,4] w, float s = {0.1}, uint8 z = {3}> {
    a = MatMul(x, w)
    b = Relu(a)
    q = QuantizeLinear(b, s, z)
    d = DequantizeLinear(q, s, z)
    c = Tanh(d)
    r = QuantizeLinear(c, s, z)
    y = DequantizeLinear(r, s, z) }`,
  { seed: 1 },
);

test("every computed float value: behind its quantizer, or itself", () => {
  expect(counterparts(float, readShipped(quantized))).toEqual([
    { reference: "a", other: "a" },
    { reference: "b", other: "d" },
    { reference: "y", other: "y" },
  ]);
});

test("names that are wanted, less those that the other model lacks", () => {
  expect(counterparts(["b", "gone"], readShipped(quantized))).toEqual([{ reference: "b", other: "d" }]);
});

test("half precision is a pair of Casts", () => {
  const half = parseModel(
    `f (float[1,4] x) => (float[1,4] y) <float[4,4] w> {
      a = MatMul(x, w)
      h = Cast <to = 10> (a)
      d = Cast <to = 1> (h)
      y = Tanh(d) }`,
    { seed: 1 },
  );
  expect(counterparts(["a"], readShipped(half))).toEqual([{ reference: "a", other: "d" }]);
});

test("of every output of every node, but not of integers and of outputs that are left out", () => {
  const model = parseModel(
    `<ir_version: 10, opset_import: ["" : 21]>
     f (float[1,4] x) => (float[1,4] y) <int64[1] k = {2}> { m, i = TopK(x, k)  , j = TopK(x, k)  y = Relu(x) }`,
  );
  const values = model.graph.valuesByName();
  for (const name of ["i", "j"]) values.get(name)!.type = tensorType("int64", [1, 2]);
  expect(counterparts(model, readShipped(model)).map(({ reference }) => reference)).toEqual(["m", "y"]);
});
