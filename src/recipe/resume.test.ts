/** A run that was interrupted anywhere and started again returns the bytes of one that was not, and does nothing twice. */
import { beforeAll, describe, expect, test } from "vitest";
import { seededFeeds } from "../../test/same-outputs.ts";
import type { Checkpoint } from "../base/inner.ts";
import { type Dataset, fromArray } from "../data/inner.ts";
import { writeModel } from "../formats/inner.ts";
import { type Model, parseModel } from "../ir/inner.ts";
import { planToJson } from "../quant/inner-files.ts";
import { openRuntime } from "../runtime/inner.ts";
import { parseRecipe, type Quantized, quantizeModel, type RecipeInput } from "./inner.ts";

const runtime = await openRuntime("ort-node");
// Every kind of layer that is decided, one without a bias, and one whose Gemm scales it.
const text = `<ir_version: 10, opset_import: ["" : 21]>
  net (float[N,4,6,6] x) => (float[N,5] y)
  <float[8,4,3,3] w1, float[8] b1, float[8,1,3,3] w2, float[8,6,2,2] w3, float[7,6] w4, float[7] b4, float[7,5] w5> {
    c1 = Conv <pads = [1,1,1,1]> (x, w1, b1)
    r1 = Relu(c1)
    c2 = Conv <group = 8> (r1, w2)
    r2 = Relu(c2)
    c3 = ConvTranspose <strides = [2,2]> (r2, w3)
    p = GlobalAveragePool(c3)
    f = Flatten(p)
    g = Gemm <transB = 1, beta = 0.5> (f, w4, b4)
    r4 = Relu(g)
    y = MatMul(r4, w5) }`;
let model: Model;
let data: Dataset;

beforeAll(() => {
  model = parseModel(text, { seed: 4 });
  const x = seededFeeds(model, { dims: { N: 24 } }).x!;
  data = fromArray("x", x.shape, x.floats());
});

/** Keeps everything in memory, and stops the run when so many things were saved. */
function keeper(kept: Map<string, Uint8Array>, stopAfter = Number.POSITIVE_INFINITY) {
  const stop = new AbortController();
  const saved: string[] = [];
  const checkpoint: Checkpoint = {
    load: async (key) => kept.get(key),
    async save(key, bytes) {
      kept.set(key, bytes);
      saved.push(key);
      if (saved.length === stopAfter) stop.abort();
    },
  };
  return { checkpoint, saved, signal: stop.signal };
}

const run = (recipe: RecipeInput, options: { checkpoint?: Checkpoint; signal?: AbortSignal } = {}, of = data) =>
  quantizeModel(model, of, parseRecipe({ target: "aimet-default", weights: "int4", ...recipe }), runtime, {
    threads: 1,
    ...options,
  });

/** All that ships, and all that is told but for the seconds. */
function told({ plan, shipped, steps, statistics }: Quantized): unknown[] {
  const notes = steps.map(({ step, edits, notes }) => ({ step, edits, notes }));
  return [Buffer.from(writeModel(shipped)).toString("base64"), planToJson(plan), notes, statistics];
}

const adaround: RecipeInput = { methods: [{ method: "adaround", iterations: 40 }] };

describe.each<[string, RecipeInput]>([
  ["adaround", adaround],
  ["seqmse, then bias correction", { methods: [{ method: "seqmse" }, { method: "bias-correction" }] }],
  ["preset best", { preset: "best" }],
])("%s", (_name, recipe) => {
  test("stopped in the middle and late, then resumed", async () => {
    const whole = told(await run(recipe));
    const all = keeper(new Map());
    expect(told(await run(recipe, all))).toEqual(whole);
    // Between layers, and before the last thing that is saved.
    for (const point of [Math.floor(all.saved.length / 2), all.saved.length - 1]) {
      const kept = new Map<string, Uint8Array>();
      const stopped = keeper(kept, point);
      await expect(run(recipe, stopped)).rejects.toMatchObject({ code: "abort/interrupted" });
      const resumed = keeper(kept);
      expect(told(await run(recipe, resumed))).toEqual(whole);
      expect([...stopped.saved, ...resumed.saved]).toEqual(all.saved);
    }
  });
});

test("what is complete needs its data once more only to trace shapes", async () => {
  const all = keeper(new Map());
  const whole = told(await run(adaround, all));
  let samples = 0;
  const counted: Dataset = {
    ...data,
    async *batches(size, signal) {
      for await (const batch of data.batches(size, signal)) {
        samples += batch.size;
        yield batch;
      }
    },
  };
  expect(told(await run({ ...adaround, samples: "first:24" }, all, counted))).toEqual(whole);
  expect(samples).toBeLessThanOrEqual(1);
});
