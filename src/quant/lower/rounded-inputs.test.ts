/** Which products ONNX Runtime's native build runs on int8 behind the file's back, what that costs, and that the web build does not. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { seededFeeds } from "../../../test/same-outputs.ts";
import { fromArray } from "../../data/inner.ts";
import { readModelFile } from "../../formats/inner-node.ts";
import { type Model, parseModel } from "../../ir/inner.ts";
import { openRuntime, type Runtime, type SessionOptions, traceShapes } from "../../runtime/inner.ts";
import type { Feeds } from "../../tensor/inner.ts";
import { builtinTarget, calibrate, lower, parseGrid, place, roundedInputs, type WeightGranularity } from "../inner.ts";

const [node, web] = [await openRuntime("ort-node"), await openRuntime("ort-web")];

/** Sizes of the difference and of the first, as a ratio. */
async function apart(model: Model, feeds: Feeds, a: [Runtime, SessionOptions], b: [Runtime, SessionOptions]) {
  const run = async ([runtime, options]: [Runtime, SessionOptions]) => {
    await using session = await runtime.open(model, options);
    return (await session.run(feeds)).y!.floats();
  };
  const [left, right] = [await run(a), await run(b)];
  const norm = (of: (i: number) => number) => Math.sqrt(left.reduce((sum, _, i) => sum + of(i) ** 2, 0));
  return norm((i) => left[i]! - right[i]!) / norm((i) => left[i]!);
}

async function lowered(op: string, weights: string, granularity: WeightGranularity, activations = "float16") {
  const gemm = op !== "MatMul";
  const model = parseModel(
    `<ir_version: 10, opset_import: ["" : 21]>
    f (float[4,64] x) => (float[4,24] y) <float[${gemm ? "24,64" : "64,24"}] w> { y = ${op}(x, w) }`,
    { seed: 3 },
  );
  const feeds = seededFeeds(model);
  const placed = place(model, builtinTarget("aimet-default"), {
    shapes: await traceShapes(model, node, feeds),
    weights: parseGrid(weights),
    activations: parseGrid(activations),
    granularity,
  });
  // With activations on a float grid: what is left is the weight alone.
  const entries = placed.entries.filter((entry) => entry.kind === "weight" || activations !== "float16");
  const data = fromArray("x", [4, 64], feeds.x!.floats());
  const { plan } = await calibrate(model, { ...placed, entries }, node, data, { scheme: "minmax" });
  return { shipped: lower(model, plan).model, feeds };
}

/** The operators that run in a stock session. */
async function running(model: Model): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), "avocet-test-"));
  try {
    const path = join(folder, "optimized.onnx");
    await using _session = await node.open(model, { optimizedModelPath: path });
    return [...readModelFile(path).graph.nodes].map(({ op }) => op);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const cases: [op: string, weights: string, granularity: WeightGranularity, activations?: string][] = [
  ["MatMul", "int4", "channel"],
  ["MatMul", "int4", { block: 16 }],
  ["MatMul", "uint4", { block: 32 }],
  ["MatMul", "int3", "tensor"],
  ["MatMul", "int2", "channel"],
  ["MatMul", "int8", "channel"],
  ["MatMul", "int8", "tensor"],
  ["MatMul", "int8", { block: 16 }],
  ["MatMul", "int16", "channel"],
  ["MatMul", "int8", "channel", "uint8"],
  ["MatMul", "int4", "channel", "uint16"],
  ["Gemm <transB = 1>", "int4", "channel"],
  ["Gemm <transB = 1>", "int8", "channel"],
];

test.each(cases)("%s with weights %s, %j: what is told is what runs", async (op, weights, granularity, activations) => {
  const { shipped, feeds } = await lowered(op, weights, granularity, activations);
  const rounds = (await running(shipped)).includes("MatMulNBits");
  expect(roundedInputs(shipped).length > 0).toBe(rounds);
  const simulated: [Runtime, SessionOptions] = [node, { optimization: "off" }];
  const stock = await apart(shipped, feeds, simulated, [node, {}]);
  // Inputs on a grid of 255 steps in blocks: half a percent of their magnitude. Else only the order of adding differs.
  if (rounds) expect(stock).toBeGreaterThan(1e-3);
  else expect(stock).toBeLessThan(1e-5);
  expect(stock).toBeLessThan(2e-2);
  expect(await apart(shipped, feeds, simulated, [node, { exactProducts: true }])).toBeLessThan(1e-6);
  expect(await apart(shipped, feeds, [web, {}], [node, { exactProducts: true }])).toBeLessThan(1e-5);
});

test("read off the file: which operators, which integers, which accuracy level", () => {
  const file = (body: string) =>
    parseModel(
      `<ir_version: 10, opset_import: ["" : 21, "com.microsoft" : 1]>
       f (float[2,32] x, int4[32,16] q, uint8[2,32] u) => (float y)
       <int4[32,16] w4, int8[32,16] w8, int16[32,16] w16, int8[1,32,16] stack, float[32,16] f, float s = {0.1}, uint8 z = {0},
        uint8[16,1,16] packed, float[16,1] scales> { ${body} }`,
      { seed: 1 },
    );
  const found = (body: string) => roundedInputs(file(body)).length;
  const product = (weight: string) => found(`w = DequantizeLinear(${weight}, s) y = MatMul(x, w)`);
  expect(["w4", "w8", "w16", "stack", "q"].map(product)).toEqual([1, 1, 0, 0, 0]);
  expect(found("c = Cast <to = 3> (w4) w = DequantizeLinear(c, s) y = MatMul(x, w)"), "widened").toBe(1);
  expect(found("c = Neg(w8) w = DequantizeLinear(c, s) y = MatMul(x, w)")).toBe(0);
  expect(found("w = DequantizeLinear(w4, s) y = com.microsoft.MatMul(x, w)")).toBe(0);
  expect(found("w = DequantizeLinear(w4, s) y = Sub(x, w)")).toBe(0);
  expect(found("y = MatMul(x, f)")).toBe(0);
  expect(found("w = Relu(f) y = MatMul(x, w)")).toBe(0);
  expect(found("d = DequantizeLinear(u, s, z) w = DequantizeLinear(w4, s) y = MatMul(d, w)")).toBe(0);
  expect(found("h = Relu(x) w = DequantizeLinear(w4, s) y = MatMul(h, w)")).toBe(1);
  const packed = (level: string) =>
    found(`y = com.microsoft.MatMulNBits <K = 32, N = 16, bits = 4, block_size = 32${level}> (x, packed, scales)`);
  expect([", accuracy_level = 4", ", accuracy_level = 1", ""].map(packed)).toEqual([1, 0, 0]);
  expect(found("y = com.microsoft.Other <accuracy_level = 4> (x, packed, scales)")).toBe(0);
});
