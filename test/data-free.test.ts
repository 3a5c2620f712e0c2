/** Quantization without data, judged on real networks: only the preprocessing is known. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { networkInputs, pictureLabels } from "../examples/pictures/dataset.mjs";
import { preprocess } from "../examples/pictures/network.mjs";
import { evaluate, topK } from "../src/analysis/inner.ts";
import { classLabels, fromIterable } from "../src/data/inner.ts";
import { readModelFile } from "../src/formats/inner-node.ts";
import { check, type Model } from "../src/ir/inner.ts";
import { parseRecipe, quantizeModel, type RecipeInput } from "../src/recipe/inner.ts";
import { openRuntime } from "../src/runtime/inner.ts";
import { fixture, missing } from "./fixtures.ts";

const example = join(dirname(fileURLToPath(import.meta.url)), "../examples/models/pictures.onnx");
const mobilenet = "mobilenetv1-025-imagenet/mobilenet_v1_0.25_224.onnx";
const runtime = await openRuntime("ort-node");

const withoutData = (model: Model, recipe: RecipeInput) =>
  quantizeModel(model, null, parseRecipe({ preset: "data-free", ...recipe }), runtime);

/** Top-1 on the first test pictures. */
async function score(model: Model, count: number): Promise<number> {
  await using session = await runtime.open(model);
  const labels = classLabels(pictureLabels("test", count), "rendered pictures");
  const data = fromIterable(() => networkInputs("test", count), { count });
  return (await evaluate(session, data, topK(1), { labels, batch: 60 })).value;
}

test("the example without data is as good as float, and with one scale per weight nearly so", async () => {
  const model = readModelFile(example);
  const float = await score(model, 240);
  const made = (granularity: "channel" | "tensor") => withoutData(model, { granularity, preprocess });
  const [channel, tensor] = [await made("channel"), await made("tensor")];
  check(channel.shipped);
  expect(await score(channel.shipped, 240)).toBeGreaterThan(float - 0.02);
  expect(await score(tensor.shipped, 240)).toBeGreaterThan(float - 0.05);
});

test("the range of an input that the model lacks is refused", async () => {
  const model = readModelFile(example);
  await expect(withoutData(model, { inputs: { picture: { low: 0, high: 1 } } })).rejects.toThrow(
    "expected the range of image, got that of picture",
  );
});

test.skipIf(missing(mobilenet))("MobileNetV1: every range has a reason, and every layer its correction", async () => {
  const model = readModelFile(fixture(mobilenet));
  const { plan, steps } = await withoutData(model, { preprocess: { scale: "1/127.5", mean: 1 } });
  expect(plan.entries.every((entry) => entry.encoding)).toBe(true);
  const correction = steps.find((step) => step.step === "bias-correction")!;
  expect(correction.edits).toBeGreaterThan(20);
});
