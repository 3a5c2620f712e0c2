/** What normalising does to real models: the same outputs from fewer, newer operators. */
import { expect, test } from "vitest";
import { fixture, missing } from "../../test/fixtures.ts";
import { expectSameOutputs } from "../../test/same-outputs.ts";
import { readModelFile } from "../formats/inner-node.ts";
import { cloneModel, parseModel } from "../ir/inner.ts";
import { openRuntime } from "../runtime/inner.ts";
import { batchNormRecords, normalise, optimise } from "./inner.ts";

interface Expected {
  /** Edits of passes worth a look. */
  readonly edits?: Readonly<Record<string, number>>;
  /** Operators that are gone afterwards. */
  readonly gone: readonly string[];
  readonly records?: number;
}

const models: Record<string, Expected> = {
  "mnist/mnist-8.onnx": { edits: { "unlist-constants": 8, "fold-channel-affine": 2 }, gone: ["Constant"] },
  "resnet-cifar10-akamaster/resnet20.onnx": {
    edits: { "fold-batch-norm": 19 },
    gone: ["BatchNormalization", "Constant", "Cast", "ConstantOfShape"],
    records: 19,
  },
  "mobilenetv1-025-imagenet/mobilenet_v1_0.25_224.onnx": {
    edits: { "fold-batch-norm": 27 },
    gone: ["BatchNormalization"],
    records: 27,
  },
  // 17 of its batch norms follow a Concat and lead to a PRelu: no layer next to them can take them in.
  "espnet-camvid/espnet_camvid.onnx": { edits: { "fold-batch-norm": 4 }, gone: ["Constant", "Unsqueeze"], records: 21 },
  "fastestdet-coco/FastestDet.onnx": { gone: [] },
  "dtln-speech-enhancement/model_2.onnx": { gone: ["Pad"] },
  "basic-pitch/nmp.onnx": { gone: [] },
  "llama-stories260k/stories260k_T256.onnx": { gone: ["Constant"] },
};

for (const [name, { edits = {}, gone, records = 0 }] of Object.entries(models)) {
  test.skipIf(missing(name))(name, async () => {
    const before = await readModelFile(fixture(name));
    const after = cloneModel(before);
    const reports = await normalise(after, { runtime: await openRuntime() });
    expect(after.opset).toBe(21);
    const operators = new Set([...after.graph.nodes].map((node) => node.op));
    for (const op of gone) expect(operators).not.toContain(op);
    for (const [pass, count] of Object.entries(edits)) expect(reports.find((r) => r.pass === pass)?.edits).toBe(count);
    expect(batchNormRecords(after.graph.values()).size).toBe(records);
    // Weights are rounded once more and sums run in another order: the relative error of float32 through tens of layers.
    await expectSameOutputs(before, after, { ofRange: 1e-5 });
  });
}

test.skipIf(missing("llama-stories260k/stories260k_T256.onnx"))("optimising goes further", async () => {
  const before = await readModelFile(fixture("llama-stories260k/stories260k_T256.onnx"));
  const after = cloneModel(before);
  await optimise(after, { runtime: await openRuntime(), opset: 24 });
  const operators = new Set([...after.graph.nodes].map((node) => node.op));
  expect(operators).toContain("RMSNormalization");
  expect(operators).toContain("Swish");
  expect(after.graph.nodeCount).toBeLessThan(before.graph.nodeCount / 2);
  // Fused normalizations and activations round in another order.
  await expectSameOutputs(before, after, { ofRange: 1e-5 });
});

test("a batch norm taken apart to its square root goes into the layer, on either side", async () => {
  const text = `f (float[N,3,5,5] x) => (float[N,4,3,3] y, float[N,4,5,5] z)
    <float[4,3,3,3] w, float[4,3,1,1] p, float[4,1,1] g, float[4,1,1] be, float[1,4,1,1] m, float[1,4,1,1] v, float e = {0.001},
     float[3,1,1] g3, float[3,1,1] be3, float[1,3,1,1] m3, float[1,3,1,1] v3> {
      c = Conv(x, w)
      s = Sub(c, m)
      a = Add(v, e)
      r = Sqrt(a)
      d = Div(g, r)
      t = Mul(s, d)
      y = Add(t, be)
      s3 = Sub(x, m3)
      a3 = Add(v3, e)
      r3 = Sqrt(a3)
      d3 = Div(s3, r3)
      t3 = Mul(g3, d3)
      n3 = Add(t3, be3)
      z = Conv(n3, p) }`;
  const before = parseModel(text, { seed: 4, positive: ["v", "v3"] });
  const after = cloneModel(before);
  await normalise(after, { runtime: await openRuntime() });
  expect([...after.graph.nodes].map((node) => node.op)).toEqual(["Conv", "Conv"]);
  // Float32 sums of 27 products of size one.
  await expectSameOutputs(before, after, { atol: 2e-5, rtol: 2e-5 });
});

test("without a runtime, and without folding", async () => {
  const model = parseModel(
    `f (float[N,3,5,5] x) => (float[N,2,5,5] y) <float[2,3,1,1] w, float[2] g, float[2] b, float[2] m, float[2] v> {
       c = Conv(x, w)
       d = Identity(c)
       y = BatchNormalization(d, g, b, m, v) }`,
    { opset: 11, seed: 1, positive: ["v"] },
  );
  const reports = await normalise(model, { foldBatchNorm: false, opset: 17 });
  expect(model.opset).toBe(17);
  expect([...model.graph.nodes].map((node) => node.op)).toEqual(["Conv", "BatchNormalization"]);
  expect(reports.map((r) => r.pass)).toEqual([
    "unlist-constants",
    "hoist-constants",
    "use-inference",
    "upgrade-opset",
    "inline-functions",
    "widen-half",
    "steps-first",
    "correct-outputs",
    "move-constants",
    "fold-shapes",
    "remove-identity",
    "cancel-movement",
    "spread-bias",
    "remove-dead",
  ]);
});

test("each pass reports once what it finally refuses", async () => {
  const model = parseModel(
    `f (float[N,3,5,5] x) => (float[N,3,5,5] y, float[N,3,5,5] c) <float[3,3,1,1] w, float[3] g, float[3] b, float[3] m, float[3] v> {
       c = Conv(x, w)
       y = BatchNormalization(c, g, b, m, v) }`,
    { seed: 1, positive: ["v"] },
  );
  const reports = await normalise(model);
  expect(reports.find((r) => r.pass === "fold-batch-norm")?.refusals).toEqual([
    { pass: "fold-batch-norm", node: "BatchNormalization → y", reason: "c is a graph output" },
  ]);
});
