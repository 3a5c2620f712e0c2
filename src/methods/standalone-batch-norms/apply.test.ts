/** A batch norm between two nonlinearities: no layer takes it in, and as a convolution it has an integer kernel. */
import { expect, test } from "vitest";
import { expectSameOutputs, seededFeeds } from "../../../test/same-outputs.ts";
import { parseModel } from "../../ir/inner.ts";
import { normalise } from "../../passes/inner.ts";
import { builtinTarget, place } from "../../quant/inner.ts";
import { openRuntime, traceShapes } from "../../runtime/inner.ts";
import { rewriteStandaloneBatchNorms } from "./apply.ts";

const runtime = await openRuntime("ort-node");

async function normalised() {
  const model = parseModel(
    `<ir_version: 10, opset_import: ["" : 21]>
    f (float[2,32,6,6] x) => (float[2,32,6,6] y)
    <float[32,32,3,3] w, float[32] b, float[32] g, float[32] be, float[32] m, float[32] v, float[32,32,3,3] u> {
      c = Conv <pads = [1,1,1,1]> (x, w, b)
      r = Relu(c)
      n = BatchNormalization(r, g, be, m, v)
      s = Relu(n)
      y = Conv <pads = [1,1,1,1]> (s, u) }`,
    { seed: 9, positive: ["v"] },
  );
  await normalise(model, { runtime });
  return model;
}

test.each(["conv", "affine"] as const)("as %s it computes the same", async (as) => {
  const before = await normalised();
  expect([...before.graph.nodes].map((node) => node.op)).toContain("BatchNormalization");
  const { model, report } = await rewriteStandaloneBatchNorms(before, { runtime }, { as });
  expect(report).toMatchObject({ step: "standalone-batch-norms", edits: 1 });
  expect([...model.graph.nodes].map((node) => node.op)).not.toContain("BatchNormalization");
  // Float32 sums of 288 products, two layers deep; s·x + t is rounded otherwise once.
  await expectSameOutputs(before, model, { atol: 1e-6, ofRange: 1e-5 });
});

test("as a convolution it is quantized for ort-cpu; before it was left out", async () => {
  const weights = async (model: Awaited<ReturnType<typeof normalised>>) => {
    const shapes = await traceShapes(model, runtime, seededFeeds(model));
    return place(model, builtinTarget("ort-cpu"), { shapes }).entries.filter((entry) => entry.kind === "weight").length;
  };
  const before = await normalised();
  const { model } = await rewriteStandaloneBatchNorms(before, { runtime });
  expect([await weights(before), await weights(model)]).toEqual([2, 3]);
});

test("without any there is nothing to do, and the report says so", async () => {
  const model = parseModel("f (float[2] x) => (float[2] y) { y = Relu(x) }");
  const { report } = await rewriteStandaloneBatchNorms(model, { runtime });
  expect([report.edits, report.notes]).toEqual([0, ["no batch norm stands alone"]]);
});
