/** Quantized files become model and plan: lowered again they compute the same numbers, ours and those of other tools. */
import { describe, expect, test } from "vitest";
import { golden, missing } from "../../../test/fixtures.ts";
import { seededFeeds } from "../../../test/same-outputs.ts";
import { fromArray } from "../../data/inner.ts";
import { readModelFile } from "../../formats/inner-node.ts";
import { type Model, parseModel } from "../../ir/inner.ts";
import { openRuntime, simulationOf, traceShapes } from "../../runtime/inner.ts";
import {
  builtinTarget,
  calibrate,
  entriesByValue,
  gridName,
  lower,
  type PlaceOptions,
  parseGrid,
  place,
} from "../inner.ts";
import { planFromJson, planToJson } from "../inner-files.ts";
import { raise } from "./raise.ts";

const runtime = await openRuntime();

const net = () =>
  parseModel(
    `<ir_version: 8, opset_import: ["" : 21]> net (float[2,8,6,6] x) => (float[2,32] y)
    <float[16,8,3,3] w, float[16] b, float[16,16,1,1] v, float[32,16] g, float[32] h, float[32,32] m> {
      c = Conv <pads = [1,1,1,1]> (x, w, b) r = Relu(c) d = Conv(r, v) s = Add(d, r)
      p = GlobalAveragePool(s) f = Flatten(p) q = Gemm <transB = 1> (f, g, h) y = MatMul(q, m) }`,
    { seed: 3 },
  );

async function shippedOf(target: string, options: Partial<PlaceOptions>): Promise<Model> {
  const model = net();
  const feeds = seededFeeds(model);
  const placed = place(model, builtinTarget(target), { shapes: await traceShapes(model, runtime, feeds), ...options });
  const data = fromArray("x", feeds.x!.shape, feeds.x!.floats());
  const { plan } = await calibrate(model, placed, runtime, data, { scheme: "minmax" });
  return lower(model, plan).model;
}

async function outputs(model: Model): Promise<number[][]> {
  await using session = await runtime.open(model, { ...simulationOf(model), threads: 1 });
  return Object.values(await session.run(seededFeeds(model))).map((tensor) => tensor.numbers());
}

const grid = parseGrid;
const cases: Record<string, [string, Partial<PlaceOptions>]> = {
  "int8 per channel with int32 biases": ["ort-cpu", {}],
  "per tensor, float biases": ["aimet-default-per-tensor", {}],
  "symmetric, signed": ["tensorrt", {}],
  "weights of four bits, widened by a Cast": ["aimet-default", { weights: grid("int4") }],
  "weights of two bits": ["aimet-default", { weights: grid("int2") }],
  "activations of four bits behind a Clip": ["aimet-default", { activations: grid("uint4") }],
  "activations of twelve bits behind a Clip of floats": ["aimet-default", { activations: grid("uint12") }],
  "sixteen bits": ["aimet-default", { weights: grid("int16"), activations: grid("uint16") }],
  "blocks of eight": ["aimet-default", { weights: grid("int4"), granularity: { block: 8 } }],
  "LPBQ: factors times scales of channels": [
    "aimet-default",
    { weights: grid("int4"), granularity: { block: 8, twoLevel: { form: "lpbq" } } },
  ],
  "LPBQ with factors of eight bits": [
    "aimet-default",
    { weights: grid("int4"), granularity: { block: 8, twoLevel: { form: "lpbq", scaleBits: 8 } } },
  ],
  float8: ["aimet-default", { weights: grid("float8e4m3fn"), activations: grid("float8e5m2") }],
  "packed for MatMulNBits": [
    "ort-cpu",
    { weights: grid("int4"), activations: grid("float32"), granularity: { block: 16 }, storage: ["matmulnbits"] },
  ],
  "packed for MatMulNBits, whose inputs are rounded": [
    "ort-cpu",
    {
      weights: grid("int4"),
      activations: grid("float32"),
      granularity: { block: 16 },
      storage: ["matmulnbits"],
      accuracyLevel: 4,
    },
  ],
};

test.each(Object.entries(cases))("%s", async (_, [target, options]) => {
  const shipped = await shippedOf(target, options);
  const before = await outputs(shipped);
  const { model, plan, notes } = raise(shipped);
  expect(notes).toEqual([]);
  expect([...model.graph.nodes].filter(({ op }) => /Quantize|NBits/.test(op))).toEqual([]);
  const again = planFromJson(planToJson(plan));
  expect(await outputs(lower(model, again).model)).toEqual(before);
});

test("a bound for each channel that the file holds among integers", async () => {
  const model = parseModel(
    `<ir_version: 8, opset_import: ["" : 21]> net (float[2,8,6,6] x) => (float[2,4,6,6] y)
    <float[16,8,3,3] w, float[1,16,1,1] h = {${Array.from({ length: 16 }, (_, i) => 0.3 + 0.04 * i).join()}}, float[4,16,1,1] v> {
      c = Conv <pads = [1,1,1,1]> (x, w) r = Relu(c) m = Min(r, h) y = Conv(m, v) }`,
    { seed: 3 },
  );
  const feeds = seededFeeds(model);
  const placed = place(model, builtinTarget("ort-cpu"), { shapes: await traceShapes(model, runtime, feeds) });
  const data = fromArray("x", feeds.x!.shape, feeds.x!.floats());
  const { plan } = await calibrate(model, placed, runtime, data, { scheme: "minmax" });
  const shipped = lower(model, plan).model;
  expect([...shipped.graph.nodes].some(({ output }) => output.name === "m_quantized")).toBe(true);
  const raised = raise(shipped);
  expect([...raised.model.graph.nodes].map(({ op }) => op)).toEqual(["Conv", "Relu", "Min", "Conv"]);
  expect(await outputs(lower(raised.model, raised.plan).model)).toEqual(await outputs(shipped));
});

describe("what is read", () => {
  test("has the names, grids and biases of the plan that was lowered", async () => {
    const { plan } = raise(await shippedOf("ort-cpu", {}));
    const entries = entriesByValue(plan);
    expect([...entries.keys()]).toEqual(expect.arrayContaining(["x", "w", "v", "g"]));
    expect(gridName(entries.get("w")!.grid)).toBe("int8");
    expect(entries.get("w")!.granularity).toEqual({ kind: "channel", axis: 0 });
    expect(entries.get("b")).toMatchObject({ kind: "bias", scaleFrom: { input: "x", weight: "w" } });
    expect(plan.entries.every((entry) => entry.frozen)).toBe(true);
  });

  test("is no float model", () => {
    expect(() => raise(net())).toThrow(/expected a quantized model/);
  });

  test("says where a quantizer and its dequantizer differ", () => {
    const text = `<ir_version: 8, opset_import: ["" : 21]> f (float[2,4] x) => (float[2,4] y)
      <float s = {0.5}, float t = {0.25}, uint8 z = {3}> { q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, t, z) }`;
    expect(() => raise(parseModel(text))).toThrow(/QuantizeLinear/);
  });
});

test("LPBQ next to integers has factors of a byte and a scale a channel, next to floats its products", async () => {
  const lpbq = { weights: grid("int4"), granularity: { block: 8, twoLevel: { form: "lpbq" as const } } };
  const scales = (model: Model) => model.graph.valuesByName().get("m_scale")!;
  const nested = scales(await shippedOf("aimet-default", lpbq)).producer!;
  expect(nested.op).toBe("DequantizeLinear");
  expect(nested.input(0)!.initializer).toMatchObject({ dtype: "uint8", shape: [4, 32] });
  expect(
    nested
      .input(0)!
      .initializer!.numbers()
      .reduce((a, b) => Math.max(a, b)),
  ).toBe(16);
  expect([nested.input(1)!.initializer!.shape, nested.int("axis", 0)]).toEqual([[32], 1]);
  const flat = await shippedOf("ort-cpu", { ...lpbq, activations: grid("float32"), storage: [] });
  expect(scales(flat).initializer!.shape).toEqual([4, 32]);
  const wide = { ...lpbq, granularity: { block: 8, twoLevel: { form: "lpbq" as const, scaleBits: 8 } } };
  expect(scales(await shippedOf("aimet-default", wide)).producer!.input(0)!.initializer!.dtype).toBe("uint16");
});

test("AIMET's own LPBQ file has its factors and channels, and computes the same from model and plan", async () => {
  const theirs = readModelFile(new URL("../../../test/goldens/aimet/files/lpbq-qdq.onnx", import.meta.url).pathname);
  const values = theirs.graph.valuesByName();
  const before = await outputs(theirs);
  const { model, plan } = raise(theirs);
  const { encoding } = entriesByValue(plan).get("wo")!;
  expect(encoding).toMatchObject({
    granularity: { kind: "block", axis: 0, size: 4, channelAxis: 1 },
    twoLevel: {
      form: "lpbq",
      most: 16,
      coarse: [...values.get("wo_meta_scale")!.initializer!.floats()],
    },
  });
  const factors = values.get("wo_scale_q")!.initializer!.numbers();
  for (const [i, scale] of encoding!.scale.entries())
    expect(scale / encoding!.twoLevel!.coarse[i % 16]!).toBeCloseTo(factors[i]!, 5);
  const again = lower(model, planFromJson(planToJson(plan))).model;
  expect(again.graph.valuesByName().get("wo_scale")!.producer!.op).toBe("DequantizeLinear");
  // Weights that AIMET quantizes as the model runs are rounded once here, to the same integers.
  const after = await outputs(again);
  for (const [i, numbers] of before.entries())
    for (const [k, x] of numbers.entries()) expect(after[i]![k]).toBeCloseTo(x, 5);
});

describe("scales that are computed otherwise are refused", () => {
  const net = (scale: string, more = "") =>
    parseModel(`<ir_version: 10, opset_import: ["" : 21]> f (float[2,4] x) => (float[2,2] y)
      <int4[4,2] w = {1,2,3,4,5,6,7,-8}, float[2] c = {0.5, 0.25}, uint8[2,2] f = {1,16,3,2}, uint8 z = {0}, uint8 one = {1}, float two = {2.0} ${more}>
      { s = ${scale} d = DequantizeLinear <axis = 0, block_size = 2> (w, s) y = MatMul(x, d) }`);
  test("but whole factors of channels, with a zero point of 0 or none", () => {
    for (const scale of ["DequantizeLinear <axis = 1> (f, c)", "DequantizeLinear <axis = -1> (f, c, z2)"]) {
      const { plan } = raise(net(scale, ", uint8[2] z2 = {0, 0}"));
      expect(plan.entries[0]!.encoding).toMatchObject({
        scale: [0.5, 4, 1.5, 0.5],
        twoLevel: { form: "lpbq", coarse: [0.5, 0.25], most: 16 },
      });
    }
    expect(raise(net("DequantizeLinear (f, two, z)")).plan.entries[0]!.encoding).toMatchObject({
      scale: [2, 32, 6, 4],
    });
  });
  test.each([
    ["another zero point", "DequantizeLinear (f, two, one)", ""],
    ["a factor of zero", "DequantizeLinear (g, two)", ", uint8[2,2] g = {0,1,2,3}"],
    ["channels of another number", "DequantizeLinear <axis = 1> (f, k)", ", float[3] k = {1.0, 2.0, 3.0}"],
    ["blocks of blocks", "DequantizeLinear <axis = 1, block_size = 2> (f, k)", ", float[2,1] k = {1.0, 2.0}"],
    ["a computed scale", "Mul (g, two)", ", float[2,2] g = {1.0, 2.0, 3.0, 4.0}"],
  ])("%s", (_, scale, more) => {
    expect(() => raise(net(scale, more))).toThrow(/DequantizeLinear/);
  });
});

test.skipIf(missing("files/residual-qdq.onnx"))(
  "AIMET's own QDQ file computes the same from model and plan",
  async () => {
    const theirs = readModelFile(golden("files/residual-qdq.onnx"));
    const before = await outputs(theirs);
    const { model, plan } = raise(theirs);
    expect(plan.entries.filter(({ kind }) => kind === "weight").length).toBeGreaterThan(3);
    const after = await outputs(lower(model, plan).model);
    // Weights that AIMET quantizes as the model runs are rounded once here, to the same integers.
    for (const [i, numbers] of before.entries())
      for (const [k, x] of numbers.entries()) expect(after[i]![k]).toBeCloseTo(x, 5);
  },
);
