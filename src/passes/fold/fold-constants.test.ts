/** What depends on constants alone is computed, but for what must not be or would only grow. */
import { expect, test } from "vitest";
import { expectSameOutputs } from "../../../test/same-outputs.ts";
import { cloneModel, parseModel } from "../../ir/inner.ts";
import { openRuntime } from "../../runtime/inner.ts";
import { hoistConstants } from "../constants.ts";
import { runPass, runPasses } from "../pass.ts";
import { removeDeadNodes } from "../tidy/remove-dead.ts";
import { foldConstants } from "./fold-constants.ts";

async function fold(text: string) {
  const before = parseModel(text, { seed: 1 });
  const after = cloneModel(before);
  const reports = await runPasses(after, [hoistConstants, foldConstants(await openRuntime()), removeDeadNodes]);
  await expectSameOutputs(before, after);
  const refusals = new Set(reports.flatMap((report) => report.refusals.map((r) => r.reason)));
  return { after, left: [...after.graph.nodes].map((node) => node.op), refusals: [...refusals] };
}

test("a chain of shape arithmetic becomes one constant", async () => {
  const { left, after } = await fold(`f (float[2,6] x) => (float[3,4] y) <int64[1] a = {3}, int64[1] b = {2}> {
    c = Mul(b, b)
    d = Concat <axis = 0> (a, c)
    y = Reshape(x, d)
  }`);
  expect(left).toEqual(["Reshape"]);
  expect([...after.graph.initializers].map((value) => [value.name, value.initializer!.numbers()])).toEqual([
    ["d", [3, 4]],
  ]);
});

test("expanding operators fold in the next round when the result is small, and are refused when it is not", async () => {
  const small = await fold(`f (float[2,3] x) => (float[2,3] y) <int64[1] two = {2}, int64[1] three = {3}> {
    s = Concat <axis = 0> (two, three)
    e = ConstantOfShape <value = float[1] {1.5}> (s)
    y = Add(x, e)
  }`);
  expect(small.left).toEqual(["Add"]);
  const large = await fold(`f (float[1,200] x) => (float[100,200] y) <float w = {3}, int64[2] s = {100, 200}> {
    e = Expand(w, s)
    y = Add(x, e)
  }`);
  expect(large.left).toEqual(["Expand", "Add"]);
  expect(large.refusals[0]).toMatch(/20000 constant elements/);
});

test("quantizers and random operators stay", async () => {
  const { left } = await fold(`f (float[4] x) => (float[4] y) <int8[4] w, float scale = {0.1}> {
    d = DequantizeLinear(w, scale)
    r = RandomUniform <shape = [4], low = 0.0, high = 0.0> ()
    a = Add(d, r)
    y = Add(x, a)
  }`);
  expect(left).toEqual(["DequantizeLinear", "RandomUniform", "Add", "Add"]);
});

test("a constant graph output keeps its name", async () => {
  const { left } = await fold(`f (float[2] x) => (float[2] y, float[2] z) <float[2] a, float[2] b> {
    z = Add(a, b)
    y = Mul(x, z)
  }`);
  expect(left).toEqual(["Mul", "Identity"]);
});

test("inside subgraphs", async () => {
  const { after } = await fold(`f (float[2] x, bool c) => (float[2] y) <float[2] a> {
    y = If(c) <
      then_branch = g () => (float[2] t) <float[2] b> { s = Add(b, b) t = Add(x, s) },
      else_branch = h () => (float[2] e) { e = Identity(x) }
    >
  }`);
  const [node] = after.graph.nodes;
  const [then] = node!.subgraphs();
  expect([...then!.nodes].map((n) => n.op)).toEqual(["Add"]);
});

test("a node without kernel stays, and the others fold", async () => {
  // ONNX Runtime has no Conv of doubles.
  const model = parseModel(
    `f (float[2] x) => (float[2] y, float[1] z) <float[2] a, float[2] b, double[1,1,3] c, double[1,1,3] w> {
      s = Add(a, b)
      y = Mul(x, s)
      d = Conv(c, w)
      e = Cast <to = 1> (d)
      f = Squeeze(e)
      z = ReduceSum(f) }`,
    { seed: 1 },
  );
  const report = await runPass(model, foldConstants(await openRuntime()));
  expect(report.edits).toBe(1);
  expect([...model.graph.nodes].map((node) => node.op)).toEqual(["Mul", "Conv", "Cast", "Squeeze", "ReduceSum"]);
  expect(report.refusals[0]?.reason).toMatch(/does not compute it/);
});

test("a long chain of expanding operators folds in one go", async () => {
  const steps = Array.from({ length: 12 }, (_, i) => `e${i + 1} = Expand(e${i}, two) `).join("");
  const { left } = await fold(
    `f (float[2] x) => (float[2] y) <float[2] e0, int64[1] two = {2}> { ${steps} y = Add(x, e12) }`,
  );
  expect(left).toEqual(["Add"]);
});
