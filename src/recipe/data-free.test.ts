/** Recipes without data, for programs: ranges from what is known, and equalization where the plan has scales per tensor. */
import { expect, test } from "vitest";
import { parseModel } from "../ir/inner.ts";
import { openRuntime } from "../runtime/inner.ts";
import { noiseData, parseRecipe, quantizeModel } from "./inner.ts";

const runtime = await openRuntime("ort-node");
const norm = (c: number, i: number) => `float[${c}] g${i}, float[${c}] e${i}, float[${c}] m${i}, float[${c}] v${i}`;
const model = parseModel(
  `<ir_version: 10, opset_import: ["" : 21]>
  net (float[N,3,8,8] x) => (float[N,4,6,6] y) <float[8,3,3,3] w1, ${norm(8, 1)}, float[4,8,1,1] w2, ${norm(4, 2)}> {
    c1 = Conv(x, w1)
    n1 = BatchNormalization(c1, g1, e1, m1, v1)
    r = Relu(n1)
    c2 = Conv(r, w2)
    y = BatchNormalization(c2, g2, e2, m2, v2) }`,
  { seed: 2, positive: ["v1", "v2", "g1", "g2"] },
);
const known = { preset: "data-free", inputs: { x: { low: -2, high: 2, deviation: 0.7 } } } as const;

test("null for the data: every range is filled, and noise within the range of the input stands in for measuring", async () => {
  const recipe = parseRecipe({ ...known, target: "aimet-default" });
  const made = await quantizeModel(model, null, recipe, runtime);
  expect(made.plan.entries.every((entry) => entry.encoding)).toBe(true);
  expect(made.steps.some(({ step }) => step === "cross-layer-equalization")).toBe(false);
  const noise = noiseData(made, recipe, 5)!;
  let [seen, outside] = [0, 0];
  for await (const { feeds, size } of noise.batches(2)) {
    seen += size;
    outside += feeds.x!.floats().filter((value) => Math.abs(value) > 2).length;
  }
  expect([seen, outside]).toEqual([5, 0]);
});

test("a target with scales per tensor has equalization tried, and judged on noise", async () => {
  const { steps } = await quantizeModel(
    model,
    null,
    parseRecipe({ ...known, target: "aimet-default-per-tensor" }),
    runtime,
  );
  const step = steps.find(({ step }) => step === "cross-layer-equalization")!;
  expect(step.notes[0]).toMatch(/^(kept|undone): output SQNR [\d.]+ → [\d.]+ dB on noise$/);
});

test("other presets, and methods, need data", async () => {
  for (const recipe of [{}, { ...known, methods: [{ method: "cle" as const }] }]) {
    await expect(quantizeModel(model, null, parseRecipe(recipe), runtime)).rejects.toMatchObject({
      code: "data/none",
      detail: { hint: 'preset "data-free" needs none' },
    });
  }
});
