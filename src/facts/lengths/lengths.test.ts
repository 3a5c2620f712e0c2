/** Every length that the table claims is the one that ONNX Runtime makes, and equal keys stand for equal lengths. */

import { expect, test } from "vitest";
import { fixture, missing } from "../../../test/fixtures.ts";
import { seededFeeds } from "../../../test/same-outputs.ts";
import { readModelFile } from "../../formats/inner-node.ts";
import { type Model, parseModel } from "../../ir/inner.ts";
import { openRuntime, traceShapes } from "../../runtime/inner.ts";
import { LengthTable } from "./lengths.ts";

/** Compares the table with a run; returns the part of all axes that the table knows as numbers. */
async function compare(model: Model, dims: Record<string, number>): Promise<number> {
  const table = new LengthTable(model);
  const feeds = seededFeeds(model, { dims });
  for (const value of model.graph.values()) if (value.producer) value.type = undefined;
  const traced = await traceShapes(model, await openRuntime(), feeds);
  const meaning = new Map<string, number>(Object.entries(dims).map(([name, length]) => [`=${name}`, length]));
  let [known, all] = [0, 0];
  for (const value of model.graph.values()) {
    const lengths = table.of(value);
    const shape = traced.get(value.name)?.shape as readonly number[] | undefined;
    if (!shape || !value.producer) continue;
    all += shape.length;
    if (!lengths) continue;
    expect(lengths.length, value.name).toBe(shape.length);
    lengths.forEach((length, axis) => {
      if (typeof length === "number") known++;
      const expected = typeof length === "number" ? length : (meaning.get(length) ?? shape[axis]!);
      if (typeof length === "string") meaning.set(length, expected);
      expect(shape[axis], `axis ${axis} of ${value.name} (${length})`).toBe(expected);
    });
  }
  return known / all;
}

const models: Record<string, number> = {
  "resnet-cifar10-akamaster/resnet20.onnx": 0.5,
  "mobilenetv1-025-imagenet/mobilenet_v1_0.25_224.onnx": 0.6,
  "espnet-camvid/espnet_camvid.onnx": 0.8,
  "fastestdet-coco/FastestDet.onnx": 0.9,
  "dtln-speech-enhancement/model_2.onnx": 0.5,
  "basic-pitch/nmp.onnx": 0.3,
  "llama-stories260k/stories260k_T256.onnx": 0.5,
};

for (const [name, least] of Object.entries(models)) {
  test.skipIf(missing(name))(name, async () => {
    const model = await readModelFile(fixture(name));
    const open = model.graph.inputs.flatMap((input) =>
      input.type?.kind === "tensor" ? (input.type.shape ?? []).filter((d) => typeof d === "string") : [],
    );
    const known = await compare(model, Object.fromEntries(open.map((dim, i) => [dim, 2 + i])));
    expect(known).toBeGreaterThan(least);
  });
}

test("a batch norm over a value of unknown rank says nothing of its output, but how many channels its statistics have", () => {
  const model = parseModel(
    `f (float x) => (y, m, v) <float[6] g, float[6] b, float[6] mean, float[6] var> {
       y, m, v = BatchNormalization <training_mode = 1> (x, g, b, mean, var) }`,
    { seed: 1 },
  );
  model.graph.inputs[0]!.type = { kind: "tensor", dtype: "float32", shape: null };
  const table = new LengthTable(model);
  expect(model.graph.outputs.map((value) => table.of(value))).toEqual([undefined, [6], [6]]);
});

test("operators that move places", async () => {
  const model = parseModel(
    `f (float[N,6,8,8] x, float[N,6,1,1] k) => (y, z, a, b, c, d, e, o, r) <float[6,3,3,3] w, int64[2] axes = {2, 3}, int64[1] one = {1}, int64[1] three = {3},
       int64[4] to = {0, -1, 2, 4}, int64[2] i = {1, 0}, int64[1] end = {-1}, int64[3] big = {5, 1, 1}, int64 first = {0}> {
       y = Conv <group = 2, strides = [2,2], pads = [1,1,1,1]> (x, w)
       z = MaxPool <kernel_shape = [2,2], auto_pad = "SAME_UPPER", strides = [3,3]> (y)
       a = Add(x, k)
       b = Reshape(y, to)
       c = Transpose <perm = [1,0,3,2]> (b)
       d = Gather <axis = 1> (x, i)
       e = Slice(x, one, end, three)
       s = ReduceMean <keepdims = 0> (x, axes)
       m = Unsqueeze(s, one)
       o = Concat <axis = 2> (m, m)
       t = Shape(k)
       u = Gather(t, first)
       v = Unsqueeze(u, one0)
       q = Concat <axis = 0> (v, three)
       r = ConstantOfShape(q) }`.replace("int64 first = {0}", "int64 first = {0}, int64[1] one0 = {0}"),
    { seed: 1 },
  );
  expect(await compare(model, { N: 3 })).toBeGreaterThan(0.5);
});

test("operators of com.microsoft", async () => {
  const model = parseModel(
    `<ir_version: 10, opset_import: ["" : 21, "com.microsoft" : 1]>
     f (float[N,4,8,8] x, float[2,N,32] s) => (c, q, h, a) <float[6,4,3,3] w, uint8[16,1,16] p, float[16] scales, float[32] g, float[32] b, float[32] k> {
       c = com.microsoft.FusedConv <activation = "Relu", strides = [2,2], pads = [1,1,1,1]> (x, w)
       l, "", "", t = com.microsoft.SkipLayerNormalization(s, s, g, b)
       u = com.microsoft.BiasGelu(l, k)
       h = com.microsoft.QuickGelu(t)
       a = com.microsoft.MultiHeadAttention <num_heads = 4> (u, l, h)
       q = com.microsoft.MatMulNBits <K = 32, N = 16, bits = 4, block_size = 32> (u, p, scales) }`,
    { seed: 1 },
  );
  expect(await compare(model, { N: 3 })).toBeGreaterThan(0.5);
});
