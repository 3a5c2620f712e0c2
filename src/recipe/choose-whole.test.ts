/** What `standard` decides ships only where samples that it did not see show a gain beyond chance. */
import { describe, expect, test } from "vitest";
import { arrayData } from "../../test/array-data.ts";
import { compareValues } from "../analysis/inner.ts";
import { Random } from "../base/inner.ts";
import { parseModel } from "../ir/inner.ts";
import { counterparts } from "../quant/inner.ts";
import { openRuntime } from "../runtime/inner.ts";
import { Tensor } from "../tensor/inner.ts";
import { parseRecipe, type QuantizeOptions, quantizeModel, type RecipeInput } from "./inner.ts";

const runtime = await openRuntime("ort-node");
const model = parseModel(
  `<ir_version: 10, opset_import: ["" : 21]>
  net (float[N,8] x) => (float[N,6] y) <float[8,16] w1, float[16] b1, float[16,6] w2, float[6] b2> {
    m = MatMul(x, w1)
    h = Add(m, b1)
    r = Relu(h)
    n = MatMul(r, w2)
    y = Add(n, b2) }`,
  { seed: 12 },
);

/** Rows with a mean of one, so that rounding shifts means; those that do not judge may be all alike. */
function rows(count: number, deceive: boolean): Tensor {
  const random = new Random(2);
  const value = (row: number, column: number) => {
    const drawn = 1 + random.normal();
    return deceive && row % 5 !== 0 ? (column < 2 ? 4 : 0) : drawn;
  };
  return Tensor.float32(
    [count, 8],
    Float32Array.from({ length: count * 8 }, (_, i) => value(Math.floor(i / 8), i % 8)),
  );
}

const quantized = (x: Tensor, recipe: RecipeInput, options: QuantizeOptions = {}) =>
  quantizeModel(
    model,
    arrayData({ x }),
    parseRecipe({ target: "aimet-default", weights: "int4", calibration: "minmax", samples: 1000, ...recipe }),
    runtime,
    options,
  );

async function truth({ shipped, lowered }: Awaited<ReturnType<typeof quantized>>): Promise<number> {
  const random = new Random(77);
  const fresh = Tensor.float32(
    [200, 8],
    Float32Array.from({ length: 1600 }, () => 1 + random.normal()),
  );
  const [y] = await compareValues(model, shipped, counterparts(["y"], lowered), runtime, arrayData({ x: fresh }), {});
  return y!.sqnr;
}

const figures =
  /^(kept|undone): output SQNR ([\d.]+) → ([\d.]+) dB \(gain (-?[\d.]+) … (-?[\d.]+) with 95 %\), mean of (\d+) samples set aside$/;

describe("standard, judged", () => {
  test("a gain beyond chance is kept, with figures; it holds on rows that nobody saw", async () => {
    const x = rows(200, false);
    const kept = await quantized(x, { preset: "standard" });
    const step = kept.steps.find(({ step }) => step === "adaround")!;
    expect(step.edits).toBe(2);
    const [, verdict, , , low, , samples] = figures.exec(step.notes[0]!)!;
    expect([verdict, samples]).toEqual(["kept", "16"]);
    expect(Number(low)).toBeGreaterThan(0);
    expect(await truth(kept)).toBeGreaterThan(await truth(await quantized(x, { preset: "fast" })));
  });

  test("what samples unlike the others taught is undone: the file is that of ranges alone, bit for bit", async () => {
    const x = rows(200, true);
    const [undone, fast] = [await quantized(x, { preset: "standard" }), await quantized(x, { preset: "fast" })];
    const steps = undone.steps.filter(({ step }) => step === "adaround" || step === "bias-correction");
    expect(steps.map(({ edits }) => edits)).toEqual([0, 0]);
    const [, verdict, , , low] = figures.exec(steps[0]!.notes[0]!)!;
    expect(verdict).toBe("undone");
    expect(Number(low)).toBeLessThanOrEqual(0);
    expect(undone.plan).toEqual(fast.plan);
    expect(await truth(undone)).toBe(await truth(fast));
  });

  test("ranges see every sample, those that judge too", async () => {
    const x = rows(40, false);
    const wild = x.floats().slice();
    wild.fill(1000, 10 * 8, 11 * 8);
    const { statistics } = await quantized(Tensor.float32(x.shape, wild), { preset: "standard" });
    expect(statistics.find(({ value }) => value === "x")!.max).toBe(1000);
  });

  test("a program's scorer decides instead, by its own direction", async () => {
    const asked: number[] = [];
    const scorer = (better: "higher" | "lower") => ({
      score: async () => {
        asked.push(1);
        return { metric: "turn", unit: "", better, value: asked.length };
      },
    });
    const noteOf = async (better: "higher" | "lower") =>
      (await quantized(rows(40, false), { preset: "standard" }, { scorer: scorer(better) })).steps.find(
        ({ step }) => step === "adaround",
      )!.notes[0];
    expect(await noteOf("higher")).toBe("kept: turn 1.00 → 2.00");
    expect(await noteOf("lower")).toBe("undone: turn 3.00 → 4.00");
  });

  test("without anything decided nothing is judged", async () => {
    const plain = parseModel(
      `<ir_version: 10, opset_import: ["" : 21]> net (float[N,8] x) => (float[N,8] y) { y = Sigmoid(x) }`,
    );
    const recipe = parseRecipe({ target: "aimet-default", preset: "standard" });
    const { steps } = await quantizeModel(plain, arrayData({ x: rows(20, false) }), recipe, runtime);
    expect(steps.flatMap(({ notes }) => notes).join()).not.toMatch(/kept|undone/);
  });
});
