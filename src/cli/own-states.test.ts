/** Scores of models that feed states back: each side runs on the states that it computes itself. */
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
