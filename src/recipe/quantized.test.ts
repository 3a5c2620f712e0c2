/** The forms of a model: what is prepared computes what was given, what is decided is what ships, and noise is told against the former. */
import { describe, expect, test } from "vitest";
import { arrayData } from "../../test/array-data.ts";
import { compareValues } from "../analysis/inner.ts";
import { Random } from "../base/inner.ts";
import { writeModel } from "../formats/inner.ts";
import { type Model, parseModel } from "../ir/inner.ts";
import { counterparts, lower } from "../quant/inner.ts";
import { openRuntime } from "../runtime/inner.ts";
import { Tensor } from "../tensor/inner.ts";
import { parseRecipe, type Quantized, quantizeModel, type RecipeInput, trainModel } from "./inner.ts";

const runtime = await openRuntime("ort-node");
const model = parseModel(
  `<ir_version: 10, opset_import: ["" : 21]>
  net (float[N,8] x) => (float[N,6] y) <float[8,32] w1, float[32] b1, float[32,6] w2> {
    h = MatMul(x, w1)
    b = Add(h, b1)
    r = Relu(b)
    y = MatMul(r, w2) }`,
  { seed: 12 },
);
const random = new Random(4);
const values = Float32Array.from({ length: 64 * 8 }, () => random.normal());
const x = Tensor.float32([64, 8], values);
const inputs = { x: { low: -4, high: 4, mean: 0, deviation: 1 } };

async function outputs(of: Model, fuseQdq = true): Promise<Float32Array> {
  await using session = await runtime.open(of, { fuseQdq });
  return (await session.run({ x })).y!.floats();
}

/** Σ y² / Σ (y − ŷ)² in dB, in float64. */
function decibels(wanted: Float32Array, found: Float32Array): number {
  let [signal, noise] = [0, 0];
  wanted.forEach((y, i) => {
    signal += y * y;
    noise += (y - found[i]!) ** 2;
  });
  return 10 * Math.log10(signal / noise);
}

const recipes: Readonly<Record<string, RecipeInput>> = {
  fast: { preset: "fast" },
  standard: { preset: "standard" },
  "standard int4": { preset: "standard", weights: "int4" },
  "cle, seqmse": { methods: [{ method: "cle" }, { method: "seqmse" }], granularity: "tensor" },
  "gptq, bias-correction": { methods: [{ method: "gptq" }, { method: "bias-correction" }], weights: "int4" },
  "data-free": { preset: "data-free", inputs },
};

const made = (recipe: RecipeInput): Promise<Quantized> =>
  quantizeModel(model, recipe.preset === "data-free" ? null : arrayData({ x }), parseRecipe(recipe), runtime);

async function expectForms({ prepared, decided, plan, lowered, shipped }: Quantized): Promise<void> {
  const source = await outputs(model);
  // Equalization and folding reorder float32 products: 100 dB is a relative error of 1e-5.
  expect(decibels(source, await outputs(prepared))).toBeGreaterThan(100);
  const again = lower(decided, plan).model;
  expect(Buffer.from(writeModel(again)).equals(Buffer.from(writeModel(shipped)))).toBe(true);
  const [y] = await compareValues(prepared, shipped, counterparts(["y"], lowered), runtime, arrayData({ x }));
  // The sums are the runtime's, in float32.
  expect(y!.sqnr).toBeCloseTo(decibels(source, await outputs(shipped, false)), 1);
}

describe("prepared, decided, shipped", () => {
  test.each(Object.entries(recipes))("%s", async (_, recipe) => {
    await expectForms(await made(recipe));
  });

  test("weights that were rounded are in the decided model only: against it int4 would seem to lose less than half", async () => {
    const { prepared, decided, lowered, shipped } = await made(recipes["standard int4"]!);
    const pairs = counterparts(["y"], lowered);
    const [told] = await compareValues(prepared, shipped, pairs, runtime, arrayData({ x }));
    const [flattered] = await compareValues(decided, shipped, pairs, runtime, arrayData({ x }));
    expect(flattered!.sqnr - told!.sqnr).toBeGreaterThan(6);
  });

  test("training decides too", async () => {
    const recipe = parseRecipe({
      weights: "int4",
      training: { epochs: 1, batch: 16, learningRate: 0.001, compare: "numbers" },
    });
    const trained = await trainModel(model, arrayData({ x }), recipe, runtime);
    await expectForms(trained);
    expect(trained.before.decided).not.toBe(trained.decided);
  });
});
