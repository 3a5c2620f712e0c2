/** Peak memory of activations against sums made by hand. */

import { expect, test } from "vitest";
import { inferTypes } from "../facts/inner.ts";
import { parseModel } from "../ir/inner.ts";
import { peakActivations } from "./memory.ts";

function peak(text: string) {
  const model = parseModel(text, { seed: 1 });
  return peakActivations(model, inferTypes(model));
}

test("a value lives from the node that makes it to its last reader", () => {
  // x 40 bytes, a 40, b 40, y 40: at Add x, a and b are needed for y.
  expect(peak("f (float[10] x) => (y) { a = Neg(x) b = Abs(a) c = Add(a, b) y = Add(c, x) }")).toEqual({
    bytes: 160,
    at: expect.stringContaining("Add"),
  });
  // A chain never holds more than two values.
  expect(peak("f (float[10] x) => (y) { a = Neg(x) b = Abs(a) y = Exp(b) }")?.bytes).toBe(80);
});

test("weights are not counted, element types are", () => {
  expect(peak("f (float[1,4] x) => (y) <float[4,8] w> { y = MatMul(x, w) }")?.bytes).toBe(16 + 32);
  expect(peak("f (float[4] x) => (y) { y = Cast <to = 11> (x) }")?.bytes).toBe(16 + 32);
});

test("what a body captures stays alive until the node that holds it", () => {
  const text = `f (float[4] x, bool c) => (y) { a = Neg(x) b = Abs(x) d = Exp(b)
    y = If(c) < then_branch = t () => (float[4] p) { p = Add(a, d) }, else_branch = e () => (float[4] q) { q = Neg(d) } > }`;
  const model = parseModel(text);
  const types = inferTypes(model);
  types.set("y", { kind: "tensor", dtype: "float32", shape: [4] });
  // At the If: c (1), a, d and y.
  expect(peakActivations(model, types)?.bytes).toBe(49);
});

test("a shape that is not known makes the sum unknown", () => {
  expect(peak("f (float[1,T] x) => (y) { y = Neg(x) }")).toBeNull();
});
