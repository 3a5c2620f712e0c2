/** Dequantizers of weights at the front: another order, the same numbers. What memory that saves, bench/large-model.mjs reports. */
import { expect, test } from "vitest";
import { parseModel } from "../../ir/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { constantsFirst } from "./constants-first.ts";
import { ortNode } from "./ort-node.ts";

const text = `<ir_version: 10, opset_import: ["" : 21]>
  two (float[N,8] x) => (float[N,8] y) <int8[8,8] w, int8[8,8] v, float s = {0.1}> {
    [first] a = DequantizeLinear(w, s)
    [one] b = MatMul(x, a)
    [second] c = DequantizeLinear(v, s)
    [turned] d = Transpose <perm = [1, 0]> (c)
    [branch] e = If <then_branch = then () => (float[8,8] t) { t = Identity(d) }, else_branch = else () => (float[8,8] u) { u = Neg(d) }> (on)
    [two] y = MatMul(b, e) }`.replace("float s = {0.1}", "float s = {0.1}, bool on = {1}");

test("what depends on constants alone comes first, in its order; bodies, which read more than inputs tell, stay", async () => {
  const model = parseModel(text, { seed: 3 });
  const moved = constantsFirst(model);
  expect([...moved.graph.nodes].map(({ name }) => name)).toEqual(["first", "second", "turned", "one", "branch", "two"]);
  expect([...model.graph.nodes].map(({ name }) => name)[1]).toBe("one");
  const runtime = await ortNode();
  const x = Tensor.float32(
    [2, 8],
    Float32Array.from({ length: 16 }, (_, i) => Math.sin(i)),
  );
  const outputs = [];
  for (const frugal of [false, true]) {
    await using session = await runtime.open(model, { optimization: "off", frugal });
    outputs.push((await session.run({ x })).y!.data);
  }
  expect(outputs[1]).toEqual(outputs[0]);
});
