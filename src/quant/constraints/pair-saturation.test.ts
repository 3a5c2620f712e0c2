/** Pair-safe scales: against arithmetic in 16 bits, as the kernels of processors without VNNI do it. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seededFeeds } from "../../../test/same-outputs.ts";
import { fromArray } from "../../data/inner.ts";
import { type Model, parseModel } from "../../ir/inner.ts";
import { openRuntime, traceShapes } from "../../runtime/inner.ts";
import { calibrate, lower, type Plan, place, saturatingPairs } from "../inner.ts";
import { builtinTarget } from "../targets/targets.ts";

async function planned(model: Model, pairSafe: boolean): Promise<Plan> {
  const runtime = await openRuntime();
  const feeds = seededFeeds(model);
  const target = { ...builtinTarget("ort-cpu"), pairSafeWeights: pairSafe };
  const placed = place(model, target, { shapes: await traceShapes(model, runtime, feeds) });
  const [[name, tensor]] = Object.entries(feeds) as [[string, (typeof feeds)[string]]];
  return (await calibrate(model, placed, runtime, fromArray(name, tensor.shape, tensor.floats()), { scheme: "minmax" }))
    .plan;
}

const int16 = (x: number) => Math.max(-32768, Math.min(32767, x));

/** The sum that vpmaddubsw and vpmaddwd give, next to the true one, for data of 255 where it hurts most. */
function sums(weights: readonly number[], sign: number): [saturating: number, exact: number] {
  const data = weights.map((w) => (w * sign > 0 ? 255 : 0));
  let [saturating, exact] = [0, 0];
  for (let i = 0; i < weights.length; i += 2) {
    const pair = data[i]! * weights[i]! + (data[i + 1] ?? 0) * (weights[i + 1] ?? 0);
    saturating += int16(pair);
    exact += pair;
  }
  return [saturating, exact];
}

const models: Record<string, { text: string; rows: (w: readonly number[]) => number[][] }> = {
  // Channels last: [out, in, kh, kw] → the inputs of a place are neighbours.
  Conv: {
    text: "f (float[1,6,8,8] x) => (float[] y) <float[5,6,3,3] w> { y = Conv(x, w) }",
    rows: (w) =>
      Array.from({ length: 5 }, (_, o) =>
        Array.from({ length: 54 }, (_, t) => w[o * 54 + (t % 6) * 9 + Math.floor(t / 6)]!),
      ),
  },
  "Gemm with transB": {
    text: "f (float[4,20] x) => (float[] y) <float[7,20] w> { y = Gemm <transB = 1> (x, w) }",
    rows: (w) => Array.from({ length: 7 }, (_, o) => w.slice(o * 20, o * 20 + 20)),
  },
  MatMul: {
    text: "f (float[4,20] x) => (float[] y) <float[20,7] w> { y = MatMul(x, w) }",
    rows: (w) => Array.from({ length: 7 }, (_, o) => Array.from({ length: 20 }, (_, k) => w[k * 7 + o]!)),
  },
};

describe.each(Object.entries(models))("%s", (_, { text, rows }) => {
  test("no pair saturates, and without the rule some do", async () => {
    const model = parseModel(text, { seed: 3 });
    const [safe, unsafe] = [await planned(model, true), await planned(model, false)];
    const stored = (plan: Plan) =>
      lower(model, plan).model.graph.valuesByName().get("w_quantized")!.initializer!.numbers();
    for (const row of rows(stored(safe))) {
      for (const sign of [1, -1]) {
        const [saturating, exact] = sums(row, sign);
        expect(saturating).toBe(exact);
      }
    }
    expect(saturatingPairs(lower(model, safe).model)).toEqual([]);
    const [risk] = saturatingPairs(lower(model, unsafe).model);
    const counted = rows(stored(unsafe)).flatMap((row) =>
      row.filter((a, i) => i % 2 === 0 && a * (row[i + 1] ?? 0) > 0 && Math.abs(a + row[i + 1]!) > 128),
    );
    expect(risk!.pairs).toBe(counted.length);
  });
});

test("scales grow by less than two: a whole bit is never given up", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 1000 }), async (seed) => {
      const model = parseModel(models.Conv!.text, { seed });
      const [safe, unsafe] = [await planned(model, true), await planned(model, false)];
      const scales = (plan: Plan) => plan.entries.find((entry) => entry.value === "w")!.encoding!.scale;
      scales(safe).forEach((s, i) => {
        expect(s).toBeGreaterThanOrEqual(scales(unsafe)[i]!);
        expect(s).toBeLessThan(2.01 * scales(unsafe)[i]!);
      });
    }),
    { numRuns: 10 },
  );
});

test("depthwise kernels add in 32 bits: their weights keep all eight", async () => {
  const model = parseModel("f (float[1,6,8,8] x) => (float[] y) <float[6,1,3,3] w> { y = Conv <group = 6> (x, w) }", {
    seed: 3,
  });
  const plan = await planned(model, true);
  expect(plan.entries.find((entry) => entry.value === "w")!.pairSafe).toBeUndefined();
  expect(saturatingPairs(lower(model, plan).model)).toEqual([]);
});
