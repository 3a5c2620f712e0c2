/** Every real model of the fixtures and goldens survives reading and writing; ONNX Runtime computes the same bits. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { fixture, golden, missing } from "../../../test/fixtures.ts";
import { modelSummary } from "../../../test/model-summary.ts";
import { Random } from "../../base/inner.ts";
import { check, type Value } from "../../ir/inner.ts";
import { arrayKind, sizeOf } from "../../tensor/inner.ts";
import { readModel, writeModel } from "../inner.ts";
import { readModelFile } from "../inner-node.ts";

const found = [fixture("."), golden(".")].filter((folder) => existsSync(folder)).flatMap(onnxFiles);

function onnxFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".onnx"))
    .map((name) => join(folder, name))
    .sort();
}

describe.skipIf(found.length === 0)("files of the corpus (skipped: no fixtures, set AVOCET_FIXTURES)", () => {
  test.each(found.length > 0 ? found : ["no file"])(
    "%s reads, checks, and says the same when written and read again",
    (path) => {
      const model = readModelFile(path);
      check(model);
      const once = writeModel(model);
      const again = readModel(once, { name: path });
      expect(modelSummary(again)).toEqual(modelSummary(model));
      expect(Buffer.compare(once, writeModel(again))).toBe(0);
    },
  );
});

describe("ONNX Runtime computes the same bits from the written file", () => {
  const models = [
    "mobilenetv1-025-imagenet/mobilenet_v1_0.25_224.onnx",
    "resnet-cifar10-akamaster/resnet20_dynamo.onnx",
    "dtln-speech-enhancement/model_1.onnx",
    "llama-stories260k/stories260k_T256_dynamo.onnx",
    "mnist/mnist-8.onnx",
    "files/residual-qdq.onnx",
  ];
  test.for(models)("%s", async (name, { skip }) => {
    const path = existsSync(fixture(name)) ? fixture(name) : golden(name);
    const why = missing(name);
    if (why) skip(why);
    const model = readModelFile(path);
    const feeds = Object.fromEntries(
      model.graph.inputs.filter((v) => !v.initializer).map((value, i) => [value.name, feedFor(value, i)]),
    );
    const before = await outputs(readFileSync(path), feeds);
    const after = await outputs(writeModel(model), feeds);
    expect(Object.keys(after)).toEqual(Object.keys(before));
    for (const key of Object.keys(before)) expect(after[key]!.data).toEqual(before[key]!.data);
  });
});

/** Whole numbers below ten for indices, normal numbers otherwise; symbolic lengths are one. */
function feedFor(value: Value, seed: number): OrtTensor {
  if (value.type?.kind !== "tensor" || !value.type.shape) throw new Error(`expected a tensor input, got ${value}`);
  const shape = value.type.shape.map((dim) => (typeof dim === "number" ? dim : 1));
  const random = new Random(seed);
  const { dtype } = value.type;
  const data = new (arrayKind(dtype))(sizeOf(shape));
  for (let i = 0; i < data.length; i++) {
    data[i] = data instanceof BigInt64Array ? BigInt(random.integer(10)) : random.normal();
  }
  return new OrtTensor(dtype as "float32", data as Float32Array, shape);
}

async function outputs(bytes: Uint8Array, feeds: Record<string, OrtTensor>) {
  const session = await InferenceSession.create(bytes, { graphOptimizationLevel: "disabled" });
  const results = await session.run(feeds);
  await session.release();
  return results;
}
