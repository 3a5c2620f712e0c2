/** Standalone batch norms become convolutions or arithmetic, with their statistics. */
import { expect, test } from "vitest";
import { expectSameOutputs } from "../../../test/same-outputs.ts";
import { cloneModel, parseModel } from "../../ir/inner.ts";
import { batchNormRecords } from "../batch-norm.ts";
import { runPass } from "../pass.ts";
import { rewriteBatchNorms } from "./rewrite-batch-norm.ts";

const standalone = (shape: string) =>
  parseModel(
    `f (float[${shape}] x) => (float[${shape}] y) <float[3] g, float[3] b, float[3] m, float[3] v> {
       r = Relu(x)
       y = BatchNormalization(r, g, b, m, v) }`,
    { seed: 1, positive: ["v"] },
  );

test.each([
  ["N,3,4,4", "conv", ["Relu", "Conv"]],
  ["N,3,4", "conv", ["Relu", "Conv"]],
  ["N,3", "conv", ["Relu", "Mul", "Add"]],
  ["N,3,4,4", "affine", ["Relu", "Mul", "Add"]],
] as const)("[%s] as %s", async (shape, as, left) => {
  const before = standalone(shape);
  const after = cloneModel(before);
  await runPass(after, rewriteBatchNorms({ as }));
  expect([...after.graph.nodes].map((node) => node.op)).toEqual(left);
  expect(batchNormRecords(after.graph.values()).get("y")).toEqual(batchNormRecords(before.graph.values()).get("y"));
  // (x − μ)·s + β against x·s + (β − μ·s): one float32 rounding apart.
  await expectSameOutputs(before, after, { atol: 1e-6, rtol: 1e-6 });
});

test("an unknown rank is refused", async () => {
  const model = parseModel(
    "f (float x) => (y) <float[3] g, float[3] b, float[3] m, float[3] v> { y = BatchNormalization(x, g, b, m, v) }",
    { seed: 1, positive: ["v"] },
  );
  model.graph.inputs[0]!.type = { kind: "tensor", dtype: "float32", shape: null };
  const { refusals } = await runPass(model, rewriteBatchNorms());
  expect(refusals[0]?.reason).toBe("the rank of x is not known");
});
