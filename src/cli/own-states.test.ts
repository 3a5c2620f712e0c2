/** Scores of models that feed states back: each side runs on the states that it computes itself. */
import { mkdirSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { avocetJson, type Workshop, workshop } from "../../test/command-line.ts";
import { Random } from "../base/inner.ts";
import { parseModel } from "../ir/inner.ts";
import { Tensor } from "../tensor/inner.ts";

let shop: Workshop;
beforeAll(async () => {
  shop = await workshop();
});
afterAll(() => shop[Symbol.dispose]());

test("quantize judges each model with the states that it computes itself", async () => {
  const recurrent = `<ir_version: 10, opset_import: ["" : 17]>
    g (float[batch,7] x, float[batch,8] s) => (float[batch,3] y, float[batch,8] sn) <float[7,8] w, float[8,8] u, float[8,3] v> {
      a = MatMul(x, w)  b = MatMul(s, u)  c = Add(a, b)  sn = Tanh(c)  y = MatMul(sn, v) }`;
  await shop.model("recurrent.onnx", parseModel(recurrent, { seed: 3 }));
  const dir = shop.at("judged");
  const random = new Random(5);
  const steps = Float32Array.from({ length: 63 }, () => random.normal());
  shop.npy("steps.npy", Tensor.float32([9, 7], steps));
  const labels = [0.3, -0.2, 0.1];
  shop.npy(
    "wanted.npy",
    Tensor.float32(
      [9, 3],
      Float32Array.from({ length: 27 }, (_, i) => labels[i % 3]!),
    ),
  );
  const judging = ["--labels", shop.at("wanted.npy"), "--metric", "psnr:1", "--class-axis", "none", "--quiet"];
  const data = shop.at("steps.npy");
  const weights = ["--preset", "fast", "--weights", "int4"];
  const args = [
    "quantize",
    shop.at("recurrent.onnx"),
    "--data",
    data,
    "--state",
    "sn:s",
    ...weights,
    "--evaluate",
    data,
  ];
  const made = await avocetJson([...args, ...judging, "-o", dir]);
  expect(made.code, made.err).toBe(0);
  const alone = async (model: string, more: readonly string[] = []) =>
    (await avocetJson(["evaluate", model, "--data", data, ...more, ...judging])).json.value;
  expect(made.json.score.float).toBeCloseTo(await alone(shop.at("recurrent.onnx"), ["--state", "sn:s"]), 9);
  expect(made.json.score.quantized).toBeCloseTo(await alone(dir), 9);
  expect(made.json.score.quantized).not.toBeCloseTo(made.json.score.float, 3);
});

/** 16 bits, one channel. */
function wav(values: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(44 + 2 * values.length);
  bytes.write("RIFF", 0);
  bytes.writeUInt32LE(36 + 2 * values.length, 4);
  bytes.write("WAVEfmt ", 8);
  for (const [at, word] of [[16, 16], [24, 16_000], [28, 32_000], [40, 2 * values.length]] as const) bytes.writeUInt32LE(word, at); // biome-ignore format: fields
  for (const [at, half] of [[20, 1], [22, 1], [32, 2], [34, 16]] as const) bytes.writeUInt16LE(half, at); // biome-ignore format: fields
  bytes.write("data", 36);
  for (const [i, value] of values.entries()) bytes.writeInt16LE(32_768 * value, 44 + 2 * i);
  return bytes;
}

test("states begin again with each file of audio", async () => {
  // The state is the sum of all that came before: 0.25 after two windows of the first file.
  const sums = `<ir_version: 8, opset_import: ["" : 17]> g (float[batch,2] x, float[batch,1] s) => (float[batch,1] y, float[batch,1] sn) <int64[1] one = {1}> {
    a = ReduceSum(x, one) sn = Add(s, a) y = Identity(s) }`;
  await shop.model("sums.onnx", parseModel(sums));
  mkdirSync(shop.at("audio"));
  writeFileSync(shop.at("audio", "a.wav"), wav([0.125, 0.125, 0.25, -0.25, 0.5, 0]));
  writeFileSync(shop.at("audio", "b.wav"), wav([0.5, 0.25, 0, 0]));
  const truths: Record<string, readonly number[]> = { "": [0, 0.25, 0.25, 0, 0.75], "?skip=1": [0, 0, 0, 0.75] };
  for (const [part, truth] of Object.entries(truths)) {
    shop.npy("truth.npy", Tensor.float32([truth.length, 1], Float32Array.from(truth)));
    const data = ["--data", `${shop.at("audio")}${part}`, "--state", "sn:s", "--class-axis", "none"];
    const args = [...data, "--labels", shop.at("truth.npy"), "--metric", "mse", "--quiet"];
    const run = await avocetJson(["evaluate", shop.at("sums.onnx"), ...args]);
    expect(run.code, run.err).toBe(0);
    expect([part, run.json.value, run.json.samples]).toEqual([part, 0, truth.length]);
  }
});
