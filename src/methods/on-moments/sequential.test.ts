/** What every layer-wise method shares: the best bias of a layer, whatever scales it, and the reason where there is none. */
import { expect, test } from "vitest";
import { arrayData } from "../../../test/array-data.ts";
import { Random } from "../../base/inner.ts";
import { type Model, parseModel } from "../../ir/inner.ts";
import { builtinTarget, calibrate, lower, parseGrid, place } from "../../quant/inner.ts";
import { openRuntime, traceShapes } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { applyGptq } from "../gptq/apply.ts";
import { type LayerTask, solveLayers } from "./sequential.ts";

const runtime = await openRuntime("ort-node");
const target = builtinTarget("aimet-default");
const random = new Random(8);
const rows = 40;
const x = Tensor.float32(
  [rows, 12],
  Float32Array.from({ length: rows * 12 }, () => random.uniform(0.5, 1.5)),
);
const data = arrayData({ x });

/** GPTQ on weights alone, which rounds them far from nearest: means move, and the bias has to take them back. */
async function solved(text: string) {
  const model = parseModel(`<ir_version: 10, opset_import: ["" : 21]> ${text}`, { seed: 3 });
  const shapes = await traceShapes(model, runtime, { x });
  const placed = place(model, target, { shapes, weights: parseGrid("int4") });
  const { plan } = await calibrate(model, placed, runtime, data, { shapes });
  const context = { runtime, data, target, calibration: "sqnr" as const, seed: 0 };
  const result = await applyGptq(model, plan, context, { activations: false });
  const weights = { ...result.plan, entries: result.plan.entries.filter((entry) => entry.kind === "weight") };
  return { model, report: result.report, shipped: lower(result.model, weights).model };
}

/** The mean of each output channel over all rows. */
async function means(model: Model): Promise<number[]> {
  await using session = await runtime.open(model, { fuseQdq: false });
  const y = (await session.run({ x })).y!;
  const channels = y.shape[1]!;
  return Array.from({ length: channels }, (_, c) => {
    let sum = 0;
    for (let row = 0; row < rows; row++) sum += y.floats()[row * channels + c]!;
    return sum / rows;
  });
}

test.each([
  ["a Gemm", "y = Gemm <transB = 1> (x, w, b)"],
  ["a Gemm that halves its bias", "y = Gemm <transB = 1, beta = 0.5> (x, w, b)"],
  ["a Gemm that triples and turns it", "y = Gemm <transB = 1, beta = -3.0> (x, w, b)"],
  ["a Gemm without a bias", "y = Gemm <transB = 1> (x, w)"],
  ["a Gemm whose bias is one number", "y = Gemm <transB = 1, beta = 2.0> (x, w, one)"],
])("%s has the float model's mean at the end", async (_name, node) => {
  const { model, shipped } = await solved(
    `g (float[N,12] x) => (float[N,5] y) <float[5,12] w, float[5] b, float one = {0.25}> { ${node} }`,
  );
  const [wanted, found] = [await means(model), await means(shipped)];
  // Sums of 12 float32 products of size one, 40 rows.
  for (const [c, mean] of found.entries()) expect(mean).toBeCloseTo(wanted[c]!, 5);
});

test.each([
  ["Gemm <transB = 1, beta = 0.0> (x, w, b)", "its beta is 0"],
  ["MatMul (x, v)", "the product has none"],
])("y = %s keeps its bias, and the report says why", async (node, reason) => {
  const { report } = await solved(
    `g (float[N,12] x) => (float[N,5] y) <float[5,12] w, float[12,5] v, float[5] b> { y = ${node} }`,
  );
  expect(report.edits).toBe(1);
  expect(report.notes.join()).toContain(`; its bias stays: ${reason}`);
});

test("products that read one value share its moments, and another value has its own", async () => {
  const model = parseModel(
    `<ir_version: 10, opset_import: ["" : 21]> g (float[N,12] x) => (float[N,12] q, float[N,12] k, float[N,12] v, float[N,5] y)
     <float[12,12] wq, float[12,12] wk, float[12,12] wv, float[12] b, float[12,5] wy>
     { q = MatMul (x, wq) k = MatMul (x, wk) v = Gemm (x, wv, b) z = Relu(v) y = MatMul (z, wy) }`,
    { seed: 3 },
  );
  const shapes = await traceShapes(model, runtime, { x });
  const placed = place(model, target, { shapes, weights: parseGrid("int4") });
  const { plan } = await calibrate(model, placed, runtime, data, { shapes });
  const context = { runtime, data, target, calibration: "sqnr" as const, seed: 0 };
  const tasks: LayerTask[] = [];
  await solveLayers(model, plan, context, { step: "gptq", activations: false }, async (task) => {
    tasks.push(task);
    return { weight: task.layer.weight.tensor, encoding: task.encoding, note: "" };
  });
  const [q, k, v, y] = tasks.map(({ moments }) => moments);
  expect(k).toBe(q);
  // Its bias is free: the same moments around their means.
  for (const [i, mean] of q!.quantizedMean.entries()) expect(q!.h[i * 13]! - v!.h[i * 13]!).toBeCloseTo(mean ** 2, 10);
  expect(v!.mean).toBe(q!.mean);
  expect(y!.mean).not.toEqual(q!.mean);
});
