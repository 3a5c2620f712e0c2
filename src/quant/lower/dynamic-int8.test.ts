/** Dynamic int8: the numbers of ONNX Runtime's quantize_dynamic, in both runtimes and on integer kernels; what it cannot hold is told. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { seededFeeds } from "../../../test/same-outputs.ts";
import { readModelFile } from "../../formats/inner-node.ts";
import { type Model, parseModel } from "../../ir/inner.ts";
import { openRuntime, traceShapes } from "../../runtime/inner.ts";
import { type Feeds, Tensor } from "../../tensor/inner.ts";
import {
  encodeObserved,
  kernelReport,
  lower,
  type Plan,
  type PlanEntry,
  parseGrid,
  place,
  quantizeDequantize,
  readShipped,
  targetFile,
  type WeightGranularity,
} from "../inner.ts";
import { parseTarget } from "../inner-files.ts";

const runtimes = { node: await openRuntime("ort-node"), web: await openRuntime("ort-web") };
const header = `<ir_version: 8, opset_import: ["" : 17]>`;

/** What tools/dynamic_golden.py recorded. */
const golden: {
  constants: Record<string, { shape: number[]; data: number[] }>;
  inputs: Record<string, { shape: number[]; data: number[] }>;
  outputs: Record<string, { shape: number[]; data: number[] }>;
  scales: Record<string, number>;
} = JSON.parse(readFileSync(new URL("../../../test/goldens/dynamic-int8.json", import.meta.url), "utf8"));

const network = `${header} f (float[2,3,6,6] x, float[2,3,8] z) => (float[2,5] y, float[2,3,6] v)
  <float[4,3,3,3] w1, float[4] b1, float[4,4,1,1] w2, float[5,144] w3, float[5] b3, float[8,6] w4> {
    [one] c1 = Conv <pads = [1,1,1,1]> (x, w1, b1)
    [relu] r1 = Relu(c1)
    [two] c2 = Conv(r1, w2)
    [flat] f = Flatten(c2)
    [three] y = Gemm <transB = 1> (f, w3, b3)
    [four] v = MatMul(z, w4) }`;

interface Choices {
  readonly weights?: string;
  readonly activations?: string;
  readonly granularity?: WeightGranularity;
  readonly symmetric?: boolean;
}

async function planned(model: Model, feeds: Feeds, choices: Choices = {}): Promise<Plan> {
  const { weights = "int8", activations = "float32", granularity = "tensor", symmetric = true } = choices;
  const file = targetFile("aimet-default");
  const params = { is_quantized: true, is_symmetric: symmetric };
  const target = parseTarget({ ...file, defaults: { ...file.defaults, params } }, "dynamic");
  const plan = place(model, target, {
    shapes: await traceShapes(model, runtimes.node, feeds),
    weights: parseGrid(weights),
    activations: parseGrid(activations),
    granularity,
    storage: ["dynamicint8"],
  });
  return activations === "float32" ? encodeObserved(model, plan, new Map(), "minmax") : plan;
}

const entryOf = (plan: Plan, value: string): PlanEntry => plan.entries.find((entry) => entry.value === value)!;
const opsOf = (model: Model) => [...model.graph.nodes].map(({ op }) => op);

/** The largest difference, as a part of the largest number. */
const apart = (a: ArrayLike<number>, b: readonly number[]) =>
  Math.max(...b.map((x, i) => Math.abs(x - a[i]!))) / Math.max(...b.map(Math.abs));

test("the numbers of quantize_dynamic", async () => {
  const model = parseModel(network, { seed: 1 });
  const values = model.graph.valuesByName();
  const tensorOf = ({ shape, data }: { shape: number[]; data: number[] }) => Tensor.float32(shape, data);
  for (const [name, constant] of Object.entries(golden.constants)) values.get(name)!.initializer = tensorOf(constant);
  const feeds = Object.fromEntries(Object.entries(golden.inputs).map(([name, given]) => [name, tensorOf(given)]));
  const plan = await planned(model, feeds, { weights: "uint8", symmetric: false });
  for (const [name, scale] of Object.entries(golden.scales))
    expect(entryOf(plan, name).encoding!.scale[0]).toBeCloseTo(scale, 8);
  const file = lower(model, plan).model;
  for (const runtime of Object.values(runtimes)) {
    await using session = await runtime.open(file, { threads: 1 });
    const found = await session.run(feeds);
    // The same integers; scales and sums differ in the last bits of float32.
    for (const [name, { data }] of Object.entries(golden.outputs))
      expect(apart(found[name]!.floats(), data), name).toBeLessThan(1e-6);
  }
});

/** Rounds what a product reads as DynamicQuantizeLinear does. */
function rounded(x: Tensor): Tensor {
  const numbers = x.floats();
  const [low, high] = [Math.min(0, ...numbers), Math.max(0, ...numbers)];
  const scale = Math.fround((high - low) / 255);
  const encoding = { grid: parseGrid("uint8"), granularity: { kind: "tensor" }, symmetric: false, scale: [scale], offset: [-Math.round(-low / scale)] } as const; // biome-ignore format: one line
  return quantizeDequantize(x, encoding);
}

describe("each granularity and grid, against the product of rounded numbers in float", () => {
  const text = `${header} f (float[4,32] x) => (float[4,8] y, float[4,8] z) <float[32,8] w, float[8,32] u, float[8] b> {
    y = MatMul(x, w)
    z = Gemm <transB = 1> (x, u, b) }`;
  const cases = (["tensor", "channel"] as const).flatMap((granularity) =>
    ["int8", "uint8"].flatMap((weights) => [true, false].map((symmetric) => ({ granularity, weights, symmetric }))),
  );
  test.each(cases)("$weights per $granularity, symmetric $symmetric", async (choices) => {
    const model = parseModel(text, { seed: 3 });
    const feeds = seededFeeds(model);
    const plan = await planned(model, feeds, choices);
    const { model: file, products } = lower(model, plan);
    // Both products read one input, which is rounded once.
    expect(opsOf(file).filter((op) => op === "DynamicQuantizeLinear")).toHaveLength(1);
    expect(opsOf(file).filter((op) => op === "MatMulInteger")).toHaveLength(2);
    expect(products.map(({ nodes }) => nodes.at(-1)!.op)).toEqual(["Mul", "Add"]);
    const float = parseModel(text, { seed: 3 });
    const values = float.graph.valuesByName();
    for (const name of ["w", "u"]) {
      const constant = values.get(name)!;
      constant.initializer = quantizeDequantize(constant.initializer!, entryOf(plan, name).encoding!);
    }
    await using exact = await runtimes.node.open(float);
    const wanted = await exact.run({ x: rounded(feeds.x!) });
    for (const runtime of Object.values(runtimes)) {
      await using session = await runtime.open(file, { threads: 1 });
      const found = await session.run(feeds);
      // Weights of 8 bits next to uint8 may saturate without VNNI: these numbers are too small for it.
      for (const name of ["y", "z"])
        expect(apart(found[name]!.floats(), [...wanted[name]!.floats()]), name).toBeLessThan(1e-5);
    }
    const read = readShipped(file);
    expect(read.products.map(({ weight }) => weight!.name)).toEqual(products.map(({ weight }) => weight!.name));
  });
});

test("a stock session runs the products on integer kernels, and the report knows", async () => {
  const model = parseModel(network, { seed: 1 });
  const plan = await planned(model, seededFeeds(model), { granularity: "channel" });
  const lowered = lower(model, plan);
  const folder = mkdtempSync(join(tmpdir(), "avocet-test-"));
  try {
    const path = join(folder, "optimized.onnx");
    await using _session = await runtimes.node.open(lowered.model, { optimizedModelPath: path });
    const found = kernelReport(lowered, readModelFile(path), plan);
    expect(found.map(({ kernel, integer }) => [kernel, integer])).toEqual([
      ["ConvInteger", true],
      ["ConvInteger", true],
      ["DynamicQuantizeMatMul", true],
      ["DynamicQuantizeMatMul", true],
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

describe("what it cannot hold stays behind a DequantizeLinear, and the plan says why", () => {
  const one = (constants: string, body: string) =>
    `${header} f (float[5,32] x) => (float[] y) <${constants}> { ${body} }`;
  const cases: readonly [reason: RegExp, text: string, choices?: Choices][] = [
    [/8 bits/, one("float[32,8] w", "y = MatMul(x, w)"), { weights: "int4" }],
    [/per tensor or per channel/, one("float[32,8] w", "y = MatMul(x, w)"), { granularity: { block: 16 } }],
    [/not only MatMul, Gemm and Conv/, one("float[32,32] w", "t = Transpose(w) a = MatMul(x, w) y = MatMul(a, t)")],
    [/takes one matrix/, one("float[2,32,8] w", "y = MatMul(x, w)")],
    [/alpha or beta/, one("float[32,8] w", "y = Gemm <alpha = 0.5> (x, w)")],
    [/the input of MatMul .* is quantized/, one("float[32,8] w", "y = MatMul(x, w)"), { activations: "uint8" }],
  ]; // biome-ignore format: a table
  test.each(cases)("%s", async (reason, text, choices) => {
    const model = parseModel(text, { seed: 1 });
    const plan = await planned(model, seededFeeds(model), choices);
    expect(entryOf(plan, "w")).not.toHaveProperty("storage");
    expect(entryOf(plan, "w").reason).toMatch(reason);
  });
});
