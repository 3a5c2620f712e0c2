/** Lowering: the file in ONNX Runtime, unoptimised, returns what the plan says in float64; its structure is what kernels need. */
import { describe, expect, test } from "vitest";
import { runQuantized } from "../../../test/quantized-reference.ts";
import { outputsOf, seededFeeds } from "../../../test/same-outputs.ts";
import { roundHalfEven } from "../../base/inner.ts";
import { fromArray } from "../../data/inner.ts";
import { type Model, parseModel, printModel } from "../../ir/inner.ts";
import { openRuntime, traceShapes } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import {
  calibrate,
  type Encoding,
  gridName,
  type IntGrid,
  lower,
  type PlaceOptions,
  type Plan,
  type PlanEntry,
  parseGrid,
  place,
  quantizeDequantize,
  requiredOpset,
} from "../inner.ts";
import { planFromJson, planToJson } from "../inner-files.ts";
import { builtinTarget } from "../targets/targets.ts";

const parse = (text: string) => parseModel(text, { seed: 5 });

async function planned(model: Model, target: string, options: Partial<PlaceOptions> = {}): Promise<Plan> {
  const runtime = await openRuntime();
  const feeds = seededFeeds(model);
  const shapes = await traceShapes(model, runtime, feeds);
  const plan = place(model, builtinTarget(target), { shapes, ...options });
  const name = model.graph.inputs[0]!.name;
  const data = fromArray(name, feeds[name]!.shape, feeds[name]!.floats());
  return (await calibrate(model, plan, runtime, data, { scheme: "minmax" })).plan;
}

/**
 * Both sides round to the same grid, but the unoptimised kernels add in float32: a value that falls within 1e-6 of the middle
 * between two grid points may go to either, and moves what follows. One step of the output, on 2 % of the elements at most.
 */
async function expectAsPlanned(model: Model, plan: Plan): Promise<void> {
  const feeds = seededFeeds(model);
  const found = await outputsOf(lower(model, plan).model, feeds);
  const expected = runQuantized(model, plan, feeds);
  for (const output of model.graph.outputs) {
    const [ours, oracle] = [found[output.name]!, expected.get(output.name)!];
    expect(ours.shape).toEqual(oracle.shape);
    const entry = plan.entries.find((e) => e.value === output.name);
    const range = Math.max(...oracle.data) - Math.min(...oracle.data);
    const step = entry?.encoding?.scale[0] ?? range / 100;
    const differences = ours.numbers().map((x, i) => Math.abs(x - oracle.data[i]!));
    expect(Math.max(...differences)).toBeLessThanOrEqual(1.01 * step);
    expect(differences.filter((d) => d > 1e-5 * range).length / differences.length).toBeLessThanOrEqual(0.02);
  }
}

const graphs: Record<string, string> = {
  "Conv with bias and Relu": `f (float[2,3,8,8] x) => (float[2,4,8,8] y) <float[4,3,3,3] w, float[4] b> {
    c = Conv <pads = [1,1,1,1]> (x, w, b)
    y = Relu(c) }`,
  "depthwise, strided": `f (float[2,6,9,9] x) => (float[2,6,4,4] y) <float[6,1,3,3] w, float[6] b> { y = Conv <group = 6, strides = [2,2]> (x, w, b) }`,
  "grouped Conv without bias": `f (float[1,4,6,6] x) => (float[1,6,4,4] y) <float[6,2,3,3] w> { y = Conv <group = 2> (x, w) }`,
  ConvTranspose: `f (float[1,3,4,4] x) => (float[1,5,8,8] y) <float[3,3,1,1] v, float[3,5,2,2] w, float[5] b> {
    c = Conv(x, v)
    y = ConvTranspose <strides = [2,2]> (c, w, b) }`,
  "Gemm with transB": `f (float[4,8] x) => (float[4,5] y) <float[5,8] w, float[5] b> { y = Gemm <transB = 1> (x, w, b) }`,
  "Gemm without transB, scaled": `f (float[4,8] x) => (float[4,5] y) <float[8,5] w, float[5] b> { y = Gemm <alpha = 0.5, beta = 2.0> (x, w, b) }`,
  "MatMul and Add": `f (float[2,3,8] x) => (float[2,3,5] y) <float[8,5] w, float[5] b> {
    m = MatMul(x, w)
    y = Add(b, m) }`,
  "MatMul with the constant first": `f (float[8,3] x) => (float[5,3] y) <float[5,8] w> { y = MatMul(w, x) }`,
  residual: `f (float[1,4,6,6] x) => (float[1,4,6,6] y) <float[4,4,3,3] w, float[4] b, float[4,4,1,1] w2> {
    c = Conv <pads = [1,1,1,1]> (x, w, b)
    r = Relu(c)
    d = Conv(r, w2)
    a = Add(d, x)
    s = Relu(a)
    y = Conv(s, w2) }`,
  // A mean of nine integers is never half a step: one of four would be a tie every other time.
  "Concat, pools, Flatten": `f (float[2,4,8,8] x) => (float[2,6] y) <float[4,4,1,1] w, float[4,4,1,1] v, float zero = {0.0}, float six = {1.0}, float[6,8] g, float[6] b> {
    p = Conv(x, w)
    q = Conv(x, v)
    c = Clip(q, zero, six)
    k = Concat <axis = 1> (p, c)
    m = MaxPool <kernel_shape = [2,2], strides = [2,2]> (k)
    a = AveragePool <kernel_shape = [3,3]> (m)
    h = GlobalAveragePool(a)
    f = Flatten(h)
    y = Gemm <transB = 1> (f, g, b) }`,
  "a constant factor and summand": `f (float[1,4,5,5] x) => (float[1,4,5,5] y) <float[4,4,1,1] w, float[4,1,1] g, float half = {0.5}> {
    c = Conv(x, w)
    m = Mul(c, g)
    h = Mul(m, half)
    y = Conv(h, w) }`,
};

describe.each(["ort-cpu", "aimet-default", "aimet-default-per-tensor"])("%s", (target) => {
  test.each(Object.entries(graphs))("%s", async (_, text) => {
    const model = parse(text);
    await expectAsPlanned(model, await planned(model, target));
  });
});

test.each([
  ["int4", "uint8"],
  ["uint4", "int8"],
  ["int3", "uint8"],
  ["uint3", "int8"],
  ["int2", "uint8"],
  ["int16", "uint16"],
  ["uint8", "int16"],
  ["int8", "int8"],
  ["int2", "uint2"],
  ["int4", "uint4"],
  ["int8", "int4"],
  ["int4", "int3"],
])("weights %s, activations %s", async (weights, activations) => {
  const model = parse(graphs.residual!);
  const plan = await planned(model, "ort-cpu", { weights: parseGrid(weights), activations: parseGrid(activations) });
  await expectAsPlanned(model, plan);
});

test("fewer than 8 bits: integers of 8 behind a Clip of the grid; a weight is packed, and widened as the file is loaded", async () => {
  const model = parse(graphs["Conv with bias and Relu"]!);
  const plan = await planned(model, "ort-cpu", { weights: parseGrid("int4"), activations: parseGrid("uint4") });
  const lowered = lower(model, plan).model;
  expect([...lowered.graph.nodes].map((n) => n.op)).toEqual(
    ["QuantizeLinear", "Clip", "DequantizeLinear", "Cast", "DequantizeLinear", "DequantizeLinear"].concat([
      "Conv",
      "Relu",
      "QuantizeLinear",
      "Clip",
      "DequantizeLinear",
    ]),
  );
  const stored = Object.fromEntries(
    [...lowered.graph.initializers].map((v) => [v.name, `${v.initializer!.dtype} ${v.initializer!.size}`]),
  );
  expect(stored).toMatchObject({ w_quantized: "int4 108", w_zero_point: "int8 4", x_zero_point: "uint8 1" });
  expect(lowered.graph.valuesByName().get("y_highest")!.initializer!.numbers()).toEqual([15]);
});

describe("strict and one-sided grids", () => {
  const scale = [0.1, 0.2, 0.3, 0.4];
  const grid = (name: string) => parseGrid(name) as IntGrid;
  /** Numbers around every end: below, at, between, above. */
  const line = Tensor.float32(
    [4, 300],
    Float32Array.from({ length: 1200 }, (_, i) => ((i % 300) - 150) * 0.37),
  );
  const perChannel = { kind: "channel", axis: 0 } as const;
  const cases: Record<string, Encoding> = {
    "strict int8": encoding("int8", [-127, -127, -127, -127]),
    "strict int4": encoding("int4", [-7, -7, -7, -7]),
    "strict uint4": encoding("uint4", [-7, -7, -7, -7]),
    "int8, some channels without negatives": encoding("int8", [-128, 0, -128, 0]),
    "int4, the first channel without negatives": encoding("int4", [0, -8, 0, -8]),
    "uint8, strict beside one-sided": encoding("uint8", [0, -127, 0, -127]),
    "asymmetric int8": { ...encoding("int8", [-3, -250, 0, -128]), symmetric: false },
    "asymmetric int4": { ...encoding("int4", [-3, -15, 0, -7]), symmetric: false },
  };
  function encoding(name: string, offset: readonly number[]): Encoding {
    return { grid: grid(name), granularity: perChannel, symmetric: true, scale, offset };
  }
  const expected = (x: number, { grid, symmetric, offset }: Encoding, channel: number) => {
    const low = offset[channel]!;
    const { bits } = grid as IntGrid;
    const isStrict = symmetric && low === -(2 ** (bits - 1) - 1);
    const high = isStrict ? -low : low + 2 ** bits - 1;
    const s = Math.fround(scale[channel]!);
    return Math.fround(s * Math.min(Math.max(roundHalfEven(Math.fround(x / s)), low), high));
  };

  test.each(Object.entries(cases))("%s: the stored weight is what the encoding says", async (_, of) => {
    const model = parse("f (float[1,4,300] x) => (float[1,4,300] y) <float[4,300] w> { y = Add(x, w) }");
    model.graph.valuesByName().get("w")!.initializer = line;
    const entry = { value: "w", kind: "weight", ...of, encoding: of, reason: "" } as const;
    const lowered = lower(model, { version: 1, target: "none", entries: [entry], notQuantized: [] }).model;
    const zero = { x: Tensor.float32([1, 4, 300], new Float32Array(1200)) };
    const { y } = await outputsOf(lowered, zero);
    const wanted = line.floats().map((x, i) => expected(x, of, Math.floor(i / 300)));
    expect(y!.floats()).toEqual(wanted);
    expect(quantizeDequantize(line, of).floats()).toEqual(wanted);
  });

  test.each([
    ["strict int8", "int8", -127],
    ["strict int16", "int16", -32767],
    ["strict int4", "int4", -7],
    ["strict int2", "int2", -1],
    ["one-sided int8", "int8", 0],
    ["one-sided int4", "int4", 0],
    ["one-sided int16", "int16", 0],
    ["int16", "int16", -32768],
  ] as const)("%s: an activation keeps to the ends of its grid", async (_, name, offset) => {
    const of: Encoding = {
      grid: grid(name),
      granularity: { kind: "tensor" },
      symmetric: true,
      scale: [40 / 2 ** grid(name).bits],
      offset: [offset],
    };
    const model = parse("f (float[4,300] x) => (float[4,300] y) { y = Relu(x) }");
    const entry = { value: "x", kind: "activation", ...of, encoding: of, reason: "" } as const;
    const lowered = lower(model, { version: 1, target: "none", entries: [entry], notQuantized: [] }).model;
    const { y } = await outputsOf(lowered, { x: line });
    const s = Math.fround(of.scale[0]!);
    const { bits } = of.grid as IntGrid;
    const high = offset === 1 - 2 ** (bits - 1) ? -offset : offset + 2 ** bits - 1;
    const wanted = line
      .floats()
      .map((x) => Math.max(Math.fround(s * Math.min(Math.max(roundHalfEven(Math.fround(x / s)), offset), high)), 0));
    expect(y!.floats()).toEqual(wanted);
    const negative = parse("f (float[4,300] x) => (float[4,300] y) { y = Neg(x) }");
    const below = (
      await outputsOf(lower(negative, { version: 1, target: "none", entries: [entry], notQuantized: [] }).model, {
        x: line,
      })
    ).y!;
    expect(Math.max(...below.floats())).toBeCloseTo(-s * offset, 5 /* float32 */);
  });
});

describe("what is computed in float is read in float, beside the integers that a kernel takes", () => {
  const w = "float[4,4,1,1] w";
  const cases: Record<string, [text: string, exact: readonly string[], target: string]> = {
    "an output of the model": [
      `f (float[1,4,5,5] x) => (float[1,4,5,5] y, float[1,4,5,5] t) <${w}> { t = Tanh(x) y = Conv(t, w) }`,
      ["t"],
      "ort-cpu",
    ],
    "an operator in float, and one behind a bias that is added": [
      `f (float[1,4,5,5] x) => (float[1,4,5,5] y, float[1,4,5,5] z) <${w}> { y = Conv(x, w) t = Tanh(x) z = Add(t, x) }`,
      ["z"],
      "ort-cpu",
    ],
    "a padding that the runtime merges reads the integers, what is beside it the float": [
      `f (float[1,4,5,5] x) => (float[1,4,7,7] y, float[1,4,5,5] z) <${w}, int64[8] p = {0,0,1,1,0,0,1,1}> {
        q = Pad(x, p) y = Conv(q, w) z = Sin(x) }`,
      ["z"],
      "ort-cpu",
    ],
  };

  test.each(Object.entries(cases))("%s", async (_, [text, exact, target]) => {
    const model = parse(text);
    const plan = await planned(model, target);
    const feeds = seededFeeds(model);
    const [float, shipped] = [await outputsOf(model, feeds), await outputsOf(lower(model, plan).model, feeds)];
    for (const name of exact) expect(shipped[name]!.floats()).toEqual(float[name]!.floats());
    expect(shipped.y!.floats()).not.toEqual(float.y!.floats());
    // It survives being written and read.
    const read = planFromJson(planToJson(plan));
    expect(read).toEqual(plan);
    expect((await outputsOf(lower(model, read).model, feeds)).y!.floats()).toEqual(shipped.y!.floats());
  });

  test("an integer kernel gives integers only, and AIMET's targets quantize for everybody", async () => {
    const text = `f (float[1,4,5,5] x) => (float[1,4,5,5] y, float[1,4,5,5] z) <${w}, float[4,4,1,1] v> {
      c = Conv(x, w) y = Conv(c, v) z = Tanh(c) }`;
    const [kernels, aimet] = [await planned(parse(text), "ort-cpu"), await planned(parse(text), "aimet-default")];
    for (const plan of [kernels, aimet]) expect(plan.entries.filter((entry) => entry.floatReaders)).toEqual([]);
  });
});

test("a grid that was changed beside the encoding of the former one is refused", async () => {
  const model = parse(graphs["Conv with bias and Relu"]!);
  const plan = await planned(model, "ort-cpu");
  const changes: Record<string, Partial<PlanEntry>> = {
    "fewer bits": { grid: parseGrid("int4") },
    "other storage": { grid: parseGrid("uint8") },
    "other granularity": { granularity: { kind: "tensor" } },
    "other axis": { granularity: { kind: "channel", axis: 1 } },
  };
  for (const [name, change] of Object.entries(changes)) {
    const entries = plan.entries.map((entry) => (entry.value === "w" ? { ...entry, ...change } : entry));
    expect(() => lower(model, { ...plan, entries }), name).toThrowError(
      expect.objectContaining({ code: "quant/invalid-plan", detail: expect.objectContaining({ at: "w" }) }),
    );
  }
  const int32 = plan.entries.map((entry) =>
    entry.value === "w" ? { ...entry, grid: parseGrid("int32"), encoding: undefined } : entry,
  ) as PlanEntry[];
  expect(() => lower(model, { ...plan, entries: int32 })).toThrowError(
    expect.objectContaining({ code: "quant/unsupported-grid" }),
  );
});

test("blocks along the input axis", async () => {
  const model = parse(`f (float[4,8] x) => (float[4,6] y) <float[8,6] w, float[6,6] v> {
    h = MatMul(x, w)
    y = MatMul(h, v) }`);
  const plan = await planned(model, "ort-cpu", { weights: parseGrid("int4"), granularity: { block: 4 } });
  expect(plan.entries.filter((e) => e.kind === "weight").map((e) => e.granularity.kind)).toEqual(["block", "channel"]);
  expect(requiredOpset(plan)).toBe(21);
  await expectAsPlanned(model, plan);
});

test("a float16 grid is a pair of Casts, and half a weight on disk", async () => {
  const model = parse(graphs["Conv with bias and Relu"]!);
  const half = parseGrid("float16");
  const plan = await planned(model, "aimet-default", { weights: half, activations: half });
  const lowered = lower(model, plan).model;
  expect([...lowered.graph.nodes].map((n) => n.op)).toEqual(["Cast", "Cast", "Cast", "Conv", "Relu", "Cast", "Cast"]);
  expect([...lowered.graph.initializers].map((v) => v.initializer!.dtype).sort()).toEqual(["float16", "float32"]);
  const [a, b] = [await outputsOf(lowered, seededFeeds(model)), await outputsOf(model, seededFeeds(model))];
  // Half floats have 11 bits; sums of 27 products of size one.
  const differences = a.y!.numbers().map((x, i) => Math.abs(x - b.y!.numbers()[i]!));
  expect(Math.max(...differences)).toBeLessThan(0.02);
});

test("the text of a small file: names, order, shared scales", async () => {
  const model = parse(`f (float[1,4,4,4] x) => (float[1,8] y) <float[8,4,3,3] w, float[8] b> {
    c = Conv(x, w, b)
    m = MaxPool <kernel_shape = [2,2]> (c)
    y = Flatten(m) }`);
  const plan = await planned(model, "ort-cpu");
  const lowered = lower(model, plan).model;
  expect(printModel(lowered).replace(/ = \{[^}]*\}/g, "")).toMatchInlineSnapshot(`
    "<ir_version: 10, opset_import: ["": 21]>
    f (float[1,4,4,4] x) => (float[1,8] y)
    <
      float x_scale,
      uint8 x_zero_point,
      float[8] w_scale,
      int8[8] w_zero_point,
      int8[8,4,3,3] w_quantized,
      int32[8] b_quantized,
      float[8] b_scale,
      float c_scale,
      uint8 c_zero_point,
      uint8[1,4,4,4] x_quantized,
      float[1,4,4,4] x_dequantized,
      float[8,4,3,3] w_dequantized,
      float[8] b_dequantized,
      uint8[] c_quantized,
      uint8[] m_quantized,
      float[1,8] y_float,
      uint8[1,8] y_quantized
    >
    {
      [x_quantized_QuantizeLinear] x_quantized = QuantizeLinear(x, x_scale, x_zero_point)
      [x_dequantized_DequantizeLinear] x_dequantized = DequantizeLinear(x_quantized, x_scale, x_zero_point)
      [w_dequantized_DequantizeLinear] w_dequantized = DequantizeLinear(w_quantized, w_scale, w_zero_point) <axis = 0>
      [b_dequantized_DequantizeLinear] b_dequantized = DequantizeLinear(b_quantized, b_scale) <axis = 0>
      [Conv_c] c = Conv(x_dequantized, w_dequantized, b_dequantized)
      [c_quantized_QuantizeLinear] c_quantized = QuantizeLinear(c, c_scale, c_zero_point)
      [c_dequantized_DequantizeLinear] c_dequantized = DequantizeLinear(c_quantized, c_scale, c_zero_point)
      [MaxPool_m] m = MaxPool(c_dequantized) <kernel_shape = [2, 2]>
      [m_quantized_QuantizeLinear] m_quantized = QuantizeLinear(m, c_scale, c_zero_point)
      [m_dequantized_DequantizeLinear] m_dequantized = DequantizeLinear(m_quantized, c_scale, c_zero_point)
      [Flatten_y] y_float = Flatten(m_dequantized)
      [y_quantized_QuantizeLinear] y_quantized = QuantizeLinear(y_float, c_scale, c_zero_point)
      [y_dequantized_DequantizeLinear] y = DequantizeLinear(y_quantized, c_scale, c_zero_point)
    }"
  `);
  expect(
    [...model.graph.nodes].map((n) => n.op),
    "the model that was given is untouched",
  ).toEqual(["Conv", "MaxPool", "Flatten"]);
});

test("a weight that two layers read is stored once", async () => {
  const model = parse(graphs.residual!);
  const plan = await planned(model, "ort-cpu");
  const lowered = lower(model, plan).model;
  const readers = lowered.graph.valuesByName().get("w2_dequantized")!.consumers();
  expect(readers.map((n) => n.op)).toEqual(["Conv", "Conv"]);
});

test("what cannot be lowered says why", async () => {
  const model = parse(graphs.residual!);
  const runtime = await openRuntime();
  const shapes = await traceShapes(model, runtime, seededFeeds(model));
  const empty = place(model, builtinTarget("ort-cpu"), { shapes });
  expect(() => lower(model, empty)).toThrowError(expect.objectContaining({ code: "quant/not-calibrated" }));
  const plan = await planned(model, "ort-cpu", { weights: parseGrid("int4") });
  const other = parse(graphs.ConvTranspose!);
  expect(() => lower(other, plan)).toThrowError(expect.objectContaining({ code: "quant/no-such-value" }));
  model.opsets.set("", 17);
  expect(lower(model, plan).model.opset, "int4 needs 21").toBe(21);
  expect(gridName(plan.entries.find((e) => e.kind === "weight")!.grid)).toBe("int4");
});
