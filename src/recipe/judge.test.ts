/** `best`: judged on samples that no trial saw, a step that makes things worse is left out, and both are said. */
import { expect, test } from "vitest";
import { arrayData } from "../../test/array-data.ts";
import { compareValues } from "../analysis/inner.ts";
import { Random } from "../base/inner.ts";
import { parseModel } from "../ir/inner.ts";
import { counterparts } from "../quant/inner.ts";
import { openRuntime } from "../runtime/inner.ts";
import { Tensor } from "../tensor/inner.ts";
import { setAside } from "./choose.ts";
import { parseRecipe, quantizeModel, type RecipeInput } from "./inner.ts";

const runtime = await openRuntime("ort-node");
const model = parseModel(
  `<ir_version: 10, opset_import: ["" : 21]>
  net (float[N,8] x) => (float[N,6] y) <float[8,16] w1, float[16,6] w2> {
    h = MatMul(x, w1)
    r = Relu(h)
    y = MatMul(r, w2) }`,
  { seed: 12 },
);

/** Every fifth row is what the network will meet: all inputs are at work. The rows between show two of them only. */
function rows(count: number, deceive: boolean): Tensor {
  const random = new Random(2);
  const value = (row: number, column: number) => {
    const drawn = random.normal();
    return deceive && row % 5 !== 0 && column >= 2 ? 0 : drawn;
  };
  return Tensor.float32(
    [count, 8],
    Float32Array.from({ length: count * 8 }, (_, i) => value(Math.floor(i / 8), i % 8)),
  );
}

const quantized = (x: Tensor, recipe: RecipeInput) =>
  quantizeModel(
    model,
    arrayData({ x }),
    parseRecipe({ target: "aimet-default", weights: "int4", calibration: "minmax", samples: 1000, ...recipe }),
    runtime,
  );

/** Output SQNR on fresh rows that use all inputs, in dB. */
async function truth({ shipped, lowered }: Awaited<ReturnType<typeof quantized>>): Promise<number> {
  const random = new Random(77);
  const fresh = Tensor.float32(
    [200, 8],
    Float32Array.from({ length: 1600 }, () => random.normal()),
  );
  const [y] = await compareValues(model, shipped, counterparts(["y"], lowered), runtime, arrayData({ x: fresh }), {});
  return y!.sqnr;
}

test("a step that learned from samples unlike the others is undone, said so, and the result is the better one", async () => {
  const x = rows(200, true);
  const careful = await quantized(x, { preset: "best" });
  const step = careful.steps.find(({ step }) => step === "adaround")!;
  expect(step.edits).toBe(0);
  const [, before, after] = /^undone: output SQNR ([\d.]+) → ([\d.]+) dB on samples set aside/.exec(step.notes[0]!)!;
  expect(Number(after)).toBeLessThan(Number(before));
  // The same step on the same rows without a judge is kept, and is worse on rows that nobody saw.
  const methods: RecipeInput["methods"] = [{ method: "adaround", iterations: 1000, rowsPerColumn: 200 }];
  const careless = await quantized(x, { methods, samples: "except-every:5" });
  expect(careless.steps.find(({ step }) => step === "adaround")!.edits).toBe(2);
  expect(await truth(careful)).toBeGreaterThan((await truth(careless)) + 1);
});

test("the same step on samples like the others is kept, with the figures", async () => {
  const kept = await quantized(rows(200, false), { preset: "best" });
  const step = kept.steps.find(({ step }) => step === "adaround")!;
  expect(step.edits).toBe(2);
  expect(step.notes[0]).toMatch(/^kept: output SQNR [\d.]+ → [\d.]+ dB on samples set aside$/);
  const fast = await quantized(rows(200, false), { preset: "fast" });
  expect(await truth(kept)).toBeGreaterThan(await truth(fast));
});

test("what chooses sees none of the samples that judge; what was chosen is done with all of them", async () => {
  const numbered = arrayData({
    x: Tensor.float32(
      [23, 1],
      Float32Array.from({ length: 23 }, (_, i) => i),
    ),
  });
  const { trial } = setAside(numbered);
  const seen: number[] = [];
  for await (const { feeds } of trial.batches(4)) seen.push(...feeds.x!.floats());
  expect(seen).toEqual([1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14, 16, 17, 18, 19, 21, 22]);

  const x = rows(40, false);
  const wild = x.floats().slice();
  wild.fill(1000, 10 * 8, 11 * 8);
  const { statistics } = await quantized(Tensor.float32(x.shape, wild), { preset: "best" });
  expect(statistics.find(({ value }) => value === "x")!.max).toBe(1000);
});
