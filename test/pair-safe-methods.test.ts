/** What methods do to weights stays within what processors without VNNI compute exactly: the promise of ort-cpu. */
import { expect, test } from "vitest";
import { Random } from "../src/base/inner.ts";
import { fromArray } from "../src/data/inner.ts";
import { parseModel } from "../src/ir/inner.ts";
import { applyAdaRound, applyGptq, applySeqMse } from "../src/methods/inner.ts";
import { builtinTarget, calibrate, lower, place, saturatingPairs } from "../src/quant/inner.ts";
import { openRuntime, traceShapes } from "../src/runtime/inner.ts";

const text = `f (float[N,8,6,6] x) => (float[N,5] y) <float[12,8,3,3] w, float[12] b, float[5,12] g, float[5] c> {
  h = Conv <pads = [1,1,1,1]> (x, w, b)
  r = Relu(h)
  p = GlobalAveragePool(r)
  f = Flatten(p)
  y = Gemm <transB = 1> (f, g, c) }`;

const methods = {
  adaround: (...[model, plan, context]: Parameters<typeof applyAdaRound>) =>
    applyAdaRound(model, plan, context, { iterations: 0 }),
  "seq-mse": (...[model, plan, context]: Parameters<typeof applySeqMse>) => applySeqMse(model, plan, context),
  gptq: (...[model, plan, context]: Parameters<typeof applyGptq>) => applyGptq(model, plan, context),
};

test.each(Object.entries(methods))("%s", async (_, apply) => {
  const runtime = await openRuntime();
  const model = parseModel(text, { seed: 4 });
  const random = new Random(1);
  const data = fromArray(
    "x",
    [16, 8, 6, 6],
    Float32Array.from({ length: 16 * 8 * 36 }, () => random.normal()),
  );
  const batch = (await data.batches(16)[Symbol.asyncIterator]().next()).value!;
  const shapes = await traceShapes(model, runtime, batch.feeds);
  const target = builtinTarget("ort-cpu");
  const { plan } = await calibrate(model, place(model, target, { shapes }), runtime, data, { scheme: "minmax" });
  const found = await apply(model, plan, { runtime, data, target, calibration: "minmax", seed: 0 });
  expect(found.report.edits).toBe(2);
  const shipped = lower(found.model, found.plan).model;
  expect(saturatingPairs(shipped)).toEqual([]);
  // The rule must not have been met by giving up the grid: the largest weights still use most of its steps.
  const integers = shipped.graph.valuesByName().get("w_quantized")!.initializer!.numbers();
  expect(Math.max(...integers.map(Math.abs))).toBeGreaterThan(64);
});
