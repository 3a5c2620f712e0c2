import { describe, expect, test } from "vitest";
import { tinyText } from "../../test/command-line.ts";
import { AvocetError, Random } from "../base/inner.ts";
import { compressModel } from "../compress/inner.ts";
import { classLabels, fromTensors } from "../data/inner.ts";
import { type Model, parseModel } from "../ir/inner.ts";
import { openRuntime } from "../runtime/inner.ts";
import { Tensor } from "../tensor/inner.ts";
import { fineTuneModel } from "./fine-tune.ts";
import { quantizeModel } from "./quantize.ts";
import { parseRecipe } from "./schema.ts";
import { trainModel } from "./train.ts";

const runtime = await openRuntime();
const teacher = parseModel(tinyText, { seed: 2 });
const random = new Random(4);
const count = 96;
const x = Tensor.float32(
  [count, 8, 6, 6],
  Float32Array.from({ length: count * 288 }, () => random.normal()),
);
const data = fromTensors({ x });

async function scoresOf(model: Model): Promise<Float32Array> {
  await using session = await runtime.open(model);
  return (await session.run({ x })).y!.floats();
}
/** Mean squared difference of the scores to the teacher's. */
async function distance(model: Model): Promise<number> {
  const [a, b] = [await scoresOf(model), await scoresOf(teacher)];
  return a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0) / a.length;
}
const compress = (share: number) => compressModel(teacher, data, runtime, { target: { macs: share }, fit: "moments" });

describe("fine-tuning in float", () => {
  test("the compressed model comes nearer to the one that it was made of; both that were given stay", async () => {
    const { model } = await compress(0.3);
    const before = await distance(model);
    const training = { epochs: 30, batch: 32, compare: "numbers", learningRate: 0.01 } as const;
    const made = await fineTuneModel(model, data, runtime, { teacher, training });
    // Less than half of the distance to the teacher is left: training helps by more than its noise.
    expect(await distance(made.model)).toBeLessThan(before / 2);
    expect(await distance(model)).toBe(before);
    expect(made.report).toMatchObject({ step: "fine-tune" });
    expect(made.report.notes[0]).toMatch(/90 steps of 32 samples, 30 epochs, taught by/);
    // The same seed gives the same numbers.
    const again = await fineTuneModel(model, data, runtime, { teacher, training });
    expect(await scoresOf(again.model)).toEqual(await scoresOf(made.model));
  });

  test("labels teach what the teacher does not know", async () => {
    const { model } = await compress(0.5);
    const truth = Array.from({ length: count }, (_, i) => i % 5);
    const labels = classLabels(truth, "test");
    const hits = async (one: Model) => {
      const scores = await scoresOf(one);
      return truth.filter((label, i) => {
        const row = scores.subarray(5 * i, 5 * i + 5);
        return row.indexOf(Math.max(...row)) === label;
      }).length;
    };
    const made = await fineTuneModel(model, data, runtime, { teacher, labels, training: { epochs: 60, batch: 32, labels: 1, learningRate: 0.02 } }); // biome-ignore format: one thought
    expect(await hits(made.model)).toBeGreaterThan((await hits(model)) + 10);
  });

  test("a model for one sample stays one, and a teacher with other answers is refused", async () => {
    const single = parseModel(tinyText.replace("float[N,8,6,6] x", "float[1,8,6,6] x").replace("float[N,5] y", "float[1,5] y"), { seed: 2 }); // biome-ignore format: a model
    const made = await fineTuneModel(single, data, runtime, { teacher: single, training: { epochs: 1 } });
    await using session = await runtime.open(made.model);
    await expect(session.run({ x: Tensor.float32([2, 8, 6, 6], new Float32Array(576)) })).rejects.toThrow();
    const other = parseModel(tinyText.replaceAll(" y", " z").replace("(float[N,5] z)", "(float[N,5] z)"), { seed: 2 });
    await expect(fineTuneModel(teacher, data, runtime, { teacher: other })).rejects.toThrow(
      /a teacher with the outputs y/,
    );
  });
});

describe("compression as a step of a recipe", () => {
  test("the smaller model is quantized, trained first where it is asked for, and the report says so", async () => {
    const recipe = parseRecipe({ preset: "fast", compression: { macs: 0.5, finetune: { epochs: 2, batch: 32 } } });
    const { steps, prepared, shipped } = await quantizeModel(teacher, data, recipe, runtime);
    expect(steps.slice(0, 2).map(({ step }) => step)).toEqual(["compress", "fine-tune"]);
    expect(steps[0]!.notes[0]).toMatch(/^\d\d\.\d % of the MACs and/);
    const convolutions = (model: Model) => [...model.graph.nodes].filter(({ op }) => op === "Conv").length;
    expect(convolutions(prepared)).toBeGreaterThan(convolutions(teacher));
    await using session = await runtime.open(shipped);
    expect((await session.run({ x })).y!.shape).toEqual([count, 5]);
    // Without the key nothing is compressed.
    const plain = await quantizeModel(teacher, data, parseRecipe({ preset: "fast" }), runtime);
    expect(plain.steps.map(({ step }) => step)).not.toContain("compress");
    expect(convolutions(plain.prepared)).toBe(convolutions(teacher));
  });

  test("training behind quantizers learns from the original, not from the compressed model", async () => {
    const recipe = parseRecipe({ preset: "fast", compression: { macs: 0.4 }, training: { epochs: 1, batch: 32 } });
    const { steps } = await trainModel(teacher, data, recipe, runtime);
    expect(steps.find(({ step }) => step === "qat")!.notes[0]).toMatch(/taught by another float model/);
  });

  test.each([
    [{ compression: {} }, /expected one of macs, parameters and ratios/],
    [{ compression: { macs: 0.5, parameters: 0.5 } }, /expected one of macs, parameters and ratios/],
    [{ compression: { macs: 0 } }, /compression\.macs/],
    [{ compression: { macs: 1 } }, /compression\.macs/],
    [{ compression: { ratios: { conv: 1.5 } } }, /compression\.ratios/],
    [{ compression: { macs: 0.5, schemes: ["svd"] } }, /spatial-svd/],
    [{ compression: { macs: 0.5, finetune: { epoch: 3 } } }, /epochs/],
  ])("faults of %j are listed", (recipe, text) => {
    try {
      parseRecipe(recipe as never);
      expect.unreachable();
    } catch (error) {
      expect(AvocetError.is(error) && `${error.code} ${error.message}`).toMatch(text);
    }
  });
});
