/** Costs of real models, from their files alone. */

import { expect, test } from "vitest";
import { fixture, missing } from "../../test/fixtures.ts";
import { readModelFile } from "../formats/inner-node.ts";
import { type Model, parseModel, staticShape, type Value } from "../ir/inner.ts";
import { rowOf } from "../ops/inner.ts";
import { inferTypes } from "./infer-types.ts";

function macs(model: Model): number {
  const types = inferTypes(model);
  const shape = (value: Value | null) => (value ? (staticShape(types.get(value.name)) ?? null) : null);
  let total = 0;
  for (const node of model.graph.nodes) {
    const row = rowOf(node);
    if (row?.macs)
      total += row.macs(node, { inputs: node.inputs.map(shape), outputs: node.outputs.map(shape) }) ?? Number.NaN;
  }
  return total;
}

test.skipIf(missing("mobilenetv1-025-imagenet/mobilenet_v1_0.25_224.onnx"))(
  "MobileNetV1 0.25: 41 million, as its paper says",
  async () => {
    const model = await readModelFile(fixture("mobilenetv1-025-imagenet/mobilenet_v1_0.25_224.onnx"));
    // Howard et al. 2017, table 6: 0.25 MobileNet-224 has 41 million Mult-Adds.
    expect(Math.round(macs(model) / 1e6)).toBe(41);
  },
);

test.skipIf(missing("resnet-cifar10-akamaster/resnet20.onnx"))("ResNet-20: 41 million, in both exports", async () => {
  for (const name of ["resnet20.onnx", "resnet20_dynamo.onnx"]) {
    const model = await readModelFile(fixture(`resnet-cifar10-akamaster/${name}`));
    expect(macs(model)).toBe(40_551_040);
  }
});

test("a batch, and an axis by name", () => {
  const model = parseModel("f (float[N,T,4] x) => (y) <float[4,3] w> { h = MatMul(x, w) y = Softmax(h) }", { seed: 1 });
  expect(inferTypes(model).get("y")?.shape).toEqual([1, null, 3]);
  expect(inferTypes(model, { batch: 2, dims: { T: 5 } }).get("y")).toEqual({
    kind: "tensor",
    dtype: "float32",
    shape: [2, 5, 3],
  });
});
