/** Real Keras files: a MobileNet with the outputs of Keras and of its ONNX export, and weights without a model. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fixture, missing } from "../../../test/fixtures.ts";
import { openRuntime } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { readModelFile } from "../inner-node.ts";
import { read } from "./read.ts";

const file = "mobilenetv1-025-imagenet/mobilenet_v1_0.25_224.h5";
const onnx = "mobilenetv1-025-imagenet/mobilenet_v1_0.25_224.onnx";
const readFixture = (name: string) => read({ name, bytes: new Uint8Array(readFileSync(fixture(name))) });

test.skipIf(missing(file, onnx))("MobileNet has the outputs of Keras, and of its ONNX export", async () => {
  const golden = readFileSync(join(import.meta.dirname, "golden/mobilenet.json"), "utf8");
  const { data } = JSON.parse(golden) as { data: string };
  const expected = Tensor.fromBytes("float32", [1, 1000], new Uint8Array(Buffer.from(data, "base64"))).floats();
  const last = Float32Array.from({ length: 224 * 224 * 3 }, (_, i) => ((i * 7919) % 2001) / 1000 - 1);
  const runtime = await openRuntime();
  await using session = await runtime.open(readFixture(file));
  const { predictions } = await session.run({ input_2: Tensor.float32([1, 224, 224, 3], last) });
  const first = Float32Array.from(last, (_, i) => last[(i % (224 * 224)) * 3 + Math.floor(i / (224 * 224))]!);
  const model = readModelFile(fixture(onnx));
  await using exported = await runtime.open(model);
  const shape = model.graph.inputs[0]!.type;
  const isFirst = shape?.kind === "tensor" && shape.shape?.[1] === 3;
  const x = isFirst ? Tensor.float32([1, 3, 224, 224], first) : Tensor.float32([1, 224, 224, 3], last);
  const [other] = Object.values(await exported.run({ [model.graph.inputs[0]!.name]: x }));
  const largest = Math.max(...expected);
  for (const [i, y] of predictions!.floats().entries()) {
    // 1e-4 of the largest probability: 27 layers of float32 sums in another order.
    expect(Math.abs(y - expected[i]!)).toBeLessThan(1e-4 * largest);
    expect(Math.abs(y - other!.floats()[i]!)).toBeLessThan(1e-4 * largest);
  }
});

const weights = "dtln-speech-enhancement/model.h5";
test.skipIf(missing(weights))("weights that were saved alone are named as such", () => {
  expect(() => readFixture(weights)).toThrow(/expected a Keras model, got an HDF5 file without one/);
});
