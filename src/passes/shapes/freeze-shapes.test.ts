/** Fixed inputs fix the shapes behind them, but for those that depend on data. */
import { expect, test } from "vitest";
import { expectSameOutputs } from "../../../test/same-outputs.ts";
import { cloneModel, type Model, parseModel } from "../../ir/inner.ts";
import { openRuntime } from "../../runtime/inner.ts";
import { foldConstants } from "../fold/fold-constants.ts";
import { runPass, runPasses } from "../pass.ts";
import { removeDeadNodes } from "../tidy/remove-dead.ts";
import { foldShapes } from "./fold-shapes.ts";
import { freezeShapes } from "./freeze-shapes.ts";

async function freeze(text: string): Promise<{ before: Model; left: string[] }> {
  const before = parseModel(text, { seed: 1 });
  const after = cloneModel(before);
  const runtime = await openRuntime();
  await runPasses(after, [freezeShapes(runtime), foldShapes, foldConstants(runtime), removeDeadNodes]);
  for (const seed of [1, 2]) await expectSameOutputs(before, after, { seed });
  return { before, left: [...after.graph.nodes].map((node) => node.op) };
}

test("shape arithmetic behind layers", async () => {
  const { left } =
    await freeze(`f (float[1,3,8,8] x) => (y) <float[4,3,3,3] w, int64[1] two = {2}, int64[1] z = {0}, int64[1] end = {4}> {
    c = Conv(x, w)
    s = Shape(c)
    h = Slice(s, two, end)
    d = Div(h, two)
    t = Shape(x)
    b = Slice(t, z, two)
    n = Concat <axis = 0> (b, d)
    e = ConstantOfShape(n)
    p = AveragePool <kernel_shape = [2,2], strides = [2,2]> (c)
    q = Slice(p, z, two)
    y = Concat <axis = 1> (q, e) }`);
  expect(left).toEqual(["Conv", "AveragePool", "Slice", "Concat"]);
});

test("lengths that depend on data stay open", async () => {
  const { left } = await freeze(`f (float[6] x) => (int64[2] y) <float zero = {0}> {
    g = Greater(x, zero)
    n = NonZero(g)
    t = Transpose(n)
    s = Shape(t)
    y = Mul(s, s) }`);
  expect(left).toContain("NonZero");
  expect(left).toContain("Shape");
});

test("a model that does not run on ones stays open", async () => {
  const model = parseModel(
    `f (int64[2] i) => (float[2] y) <float[1] w, float[1] k> {
    g = Gather(w, i)
    s = Shape(g)
    e = ConstantOfShape(s)
    y = Add(e, k) }`,
    { seed: 1 },
  );
  const { edits, refusals } = await runPass(model, freezeShapes(await openRuntime()));
  expect(edits).toBe(0);
  expect(refusals[0]?.reason).toMatch(/does not run on ones/);
});
