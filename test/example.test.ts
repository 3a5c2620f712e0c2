/** The bundled example: its pictures are the same everywhere, and its model is the file that the README speaks of. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { networkInputs, pictureLabels, pictures } from "../examples/pictures/dataset.mjs";
import { untrainedNetwork } from "../examples/pictures/network.mjs";
import { cosine, sine } from "../examples/pictures/numbers.mjs";
import { classNames } from "../examples/pictures/objects.mjs";
import { renderPicture, side } from "../examples/pictures/render.mjs";
import { evaluate, topK } from "../src/analysis/inner.ts";
import { classLabels, fromIterable } from "../src/data/inner.ts";
import { readModelFile } from "../src/formats/inner-node.ts";
import { check, type Model } from "../src/ir/inner.ts";
import { parseRecipe, quantizeModel, type RecipeInput } from "../src/recipe/inner.ts";
import { openRuntime } from "../src/runtime/inner.ts";

const models = join(dirname(fileURLToPath(import.meta.url)), "../examples/models");
const record = JSON.parse(readFileSync(join(models, "pictures.json"), "utf8"));

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe("rendered pictures", () => {
  it("are the bytes that the network was trained on", () => {
    const hash = createHash("sha256");
    for (const { pixels } of pictures("test", 120)) hash.update(pixels);
    expect(hash.digest("hex")).toBe(record.pictures.first120TestSha256);
  });

  it("depend on label and seed alone", () => {
    const first = renderPicture(3, 7);
    renderPicture(4, 8);
    expect(renderPicture(3, 7)).toEqual(first);
    expect(renderPicture(3, 8)).not.toEqual(first);
    expect(first).toHaveLength(side * side * 3);
  });

  it("hold every class once in each dozen, in changing order", () => {
    const labels = pictureLabels("calibration", 60);
    for (let i = 0; i < 60; i += 12) {
      expect([...labels.subarray(i, i + 12)].sort((a, b) => a - b)).toEqual(classNames.map((_, k) => k));
    }
    expect([...labels.subarray(0, 12)]).not.toEqual([...labels.subarray(12, 24)]);
  });

  it("turn by a sine of our own that is close to the real one", () => {
    for (let turns = -2; turns <= 2; turns += 0.013) {
      // The polynomial's first left-out term is (π/2)¹¹ / 11! = 3.6e-6.
      expect(sine(turns)).toBeCloseTo(Math.sin(2 * Math.PI * turns), 5);
      expect(cosine(turns)).toBeCloseTo(Math.cos(2 * Math.PI * turns), 5);
    }
  });
});

describe("the bundled network", () => {
  it("is the file of the record", () => {
    expect(sha256(readFileSync(join(models, "pictures.onnx")))).toBe(record.model.sha256);
  });

  it("is the untrained network with other numbers", () => {
    const trained = readModelFile(join(models, "pictures.onnx"));
    const untrained = untrainedNetwork(record.training.networkSeed);
    check(untrained);
    const shape = ({ graph }: typeof trained) => [
      [...graph.nodes].map((node) => [node.op, node.name, node.inputs.map((value) => value?.name)]),
      [...graph.initializers].map((value) => [value.name, value.initializer!.shape]),
    ];
    expect(shape(trained)).toEqual(shape(untrained));
  });

  it("scores what the record states on the first 300 test pictures", async () => {
    expect(await score(join(models, "pictures.onnx"), 300)).toBe(record.float.rightOfFirst300 / 300);
  });

  it("loses with one weight scale per tensor, and not with the defaults", async () => {
    const model = readModelFile(join(models, "pictures.onnx"));
    const runtime = await openRuntime();
    const calibration = [...networkInputs("calibration", 120)];
    const data = fromIterable(() => calibration, { count: 120 });
    const quantized = async (recipe: RecipeInput) =>
      score((await quantizeModel(model, data, parseRecipe(recipe), runtime)).shipped, 480);
    const float = await score(model, 480);
    // Measured on all 1,500 pictures: float 91.7 %, per tensor and nearest 45.1 %, the default 91.5 %.
    expect(await quantized({ preset: "fast", granularity: "tensor" })).toBeLessThan(float - 0.03);
    expect(await quantized({})).toBeGreaterThan(float - 0.01);
  });
});

/** Top-1 on the first test pictures, in a stock session. */
async function score(model: Model | string, count: number): Promise<number> {
  const runtime = await openRuntime();
  await using session = await runtime.open(model);
  const labels = classLabels(pictureLabels("test", count), "rendered pictures");
  const data = fromIterable(() => networkInputs("test", count), { count });
  return (await evaluate(session, data, topK(1), { labels, batch: 60 })).value;
}
