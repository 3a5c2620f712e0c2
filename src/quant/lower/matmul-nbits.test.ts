/** Weights stored for MatMulNBits: the same numbers as Q/DQ in both runtimes, and what the operator cannot hold is left or refused. */
import { describe, expect, test } from "vitest";
import { arrayData } from "../../../test/array-data.ts";
import { entry as planEntry } from "../../../test/hand-made-plan.ts";
import { outputsOf, seededFeeds } from "../../../test/same-outputs.ts";
import { matrixLayers } from "../../facts/inner.ts";
import { type Model, parseModel } from "../../ir/inner.ts";
import { openRuntime, traceShapes } from "../../runtime/inner.ts";
import { type Feeds, Tensor } from "../../tensor/inner.ts";
import {
  applyEncodings,
  builtinTarget,
  calibrate,
  type Granularity,
  lower,
  type Plan,
  type PlanEntry,
  parseGrid,
  place,
  readShipped,
  type Target,
  targetFile,
  type WeightGranularity,
  withEntries,
  withoutStorage,
  writeEncodings,
} from "../inner.ts";
import { parseTarget, planFromJson, planToJson, readEncodings } from "../inner-files.ts";
import { matMulNBits } from "./matmul-nbits.ts";
import { withStorage } from "./storage.ts";

const runtimes = { node: await openRuntime("ort-node"), web: await openRuntime("ort-web") };

interface Choices {
  readonly weights?: string;
  readonly activations?: string;
  readonly granularity?: WeightGranularity;
  readonly symmetric?: boolean;
  readonly strict?: boolean;
}

/** A target that asks for the form, with AIMET's rules. */
function packing({ symmetric = true, strict = false }: Choices, more: object = {}): Target {
  const file = targetFile("aimet-default");
  const params = { is_quantized: true, is_symmetric: symmetric };
  const defaults = { ...file.defaults, params, strict_symmetric: strict };
  return parseTarget({ ...file, defaults, avocet: { storage: "matmulnbits", ...more } }, "packing");
}

async function planned(model: Model, choices: Choices = {}): Promise<Plan> {
  const feeds = seededFeeds(model);
  const shapes = await traceShapes(model, runtimes.node, feeds);
  const { weights = "int4", activations = "float32", granularity = { block: 16 } } = choices;
  const grids = { weights: parseGrid(weights), activations: parseGrid(activations) };
  const plan = place(model, packing(choices), { shapes, ...grids, granularity });
  return (await calibrate(model, plan, runtimes.node, arrayData(feeds), { scheme: "minmax", shapes })).plan;
}

const entryOf = (plan: Plan, value: string): PlanEntry => plan.entries.find((entry) => entry.value === value)!;

/** Two products share a weight, one has an Add behind it; K of the last has three blocks of 16, an odd number. */
const text = `<ir_version: 8, opset_import: ["" : 17]> f (float[5,32] x) => (float[5,7] y, float[5,48] z)
  <float[32,32] w, float[32,48] v, float[48,7] u, float[48] b> {
    m = MatMul(x, w)
    r = Relu(m)
    n = MatMul(r, w)
    p = MatMul(n, v)
    z = Add(p, b)
    y = MatMul(z, u) }`;

async function inWeb(model: Model, feeds: Feeds): Promise<Feeds> {
  await using session = await runtimes.web.open(model, { threads: 1 });
  return await session.run(feeds);
}

/** The largest difference, as a part of the largest number. */
function apart(a: Tensor, b: Tensor): number {
  const [x, y] = [a.floats(), b.floats()];
  return Math.max(...x.map((value, i) => Math.abs(value - y[i]!))) / Math.max(...y.map(Math.abs));
}

describe("the numbers of Q/DQ, in both runtimes", () => {
  const cases = ["int2", "uint2", "int4", "uint4", "int8", "uint8"].flatMap((weights) => [
    { weights, symmetric: true, strict: false, block: 16 },
    { weights, symmetric: true, strict: true, block: 16 },
    { weights, symmetric: false, strict: false, block: 16 },
  ]);

  test.each(cases)("$weights, symmetric $symmetric, strict $strict", async ({ block, ...choices }) => {
    const model = parseModel(text, { seed: 4 });
    const plan = await planned(model, { ...choices, granularity: { block } });
    const { model: packed, of } = lower(model, plan);
    expect([...packed.graph.nodes].map(({ op }) => op)).toEqual([
      "MatMulNBits",
      "Relu",
      "MatMulNBits",
      "MatMulNBits",
      "Add",
      "MatMulNBits",
    ]);
    // The middle of the grid is the operator's own zero point.
    expect(of("u") && packed.graph.valuesByName().has("u_zero_point")).toBe(!choices.symmetric || choices.strict);
    const feeds = seededFeeds(model);
    const wanted = await outputsOf(lower(model, withoutStorage(plan)).model, feeds, { optimization: "off" });
    const runs = [
      await outputsOf(packed, feeds, { optimization: "off" }),
      await outputsOf(packed, feeds, { optimization: "full" }),
      await inWeb(packed, feeds),
    ];
    for (const found of runs) {
      // Sums of 48 products in float32, four layers deep; rounding the inputs to int8 would be off by 4e-3.
      for (const name of ["y", "z"]) expect(apart(found[name]!, wanted[name]!)).toBeLessThan(1e-5);
    }
  });

  test("between pairs of Casts it reads what comes out of them", async () => {
    const model = parseModel(text, { seed: 4 });
    const plan = await planned(model, { activations: "bfloat16" });
    const [packed, qdq] = [lower(model, plan), lower(model, withoutStorage(plan))];
    expect(packed.products.map(({ nodes }) => nodes[0]!.op)).toEqual(Array(4).fill("MatMulNBits"));
    expect(packed.of("m")!.float!.producer).toBe(packed.products[0]!.nodes[0]);
    const feeds = seededFeeds(model);
    const [found, wanted] = [await outputsOf(packed.model, feeds), await outputsOf(qdq.model, feeds)];
    // A number next to the middle of two bfloat16 goes to either: 2^-8.
    for (const name of ["y", "z"]) expect(apart(found[name]!, wanted[name]!)).toBeLessThan(2 ** -7);
  });
});

test("the bytes: by output, in blocks of inputs, the first integer in the lowest bits", () => {
  const model = parseModel(
    `<ir_version: 8, opset_import: ["" : 17]> f (float[1,32] x) => (float[1,2] y) <float[32,2] w> { y = MatMul(x, w) }`,
    { seed: 1 },
  );
  const w = model.graph.valuesByName().get("w")!;
  const numbers = Array.from({ length: 32 }, (_, k) => [(k % 16) - 8, 7 - (k % 16)]).flat();
  w.initializer = Tensor.float32([32, 2], numbers);
  const encoding = {
    grid: parseGrid("int4"),
    granularity: { kind: "block", axis: 0, size: 16, channelAxis: 1 },
    symmetric: false,
    scale: [1, 1, 1, 1],
    offset: [-8, -8, -7, -8],
  } as const;
  const { scale: _, offset: __, ...form } = encoding;
  const entry: PlanEntry = { value: "w", kind: "weight", ...form, storage: "matmulnbits", reason: "", encoding };
  const {
    model: file,
    of,
    products,
    layer,
  } = lower(model, { version: 1, target: "t", entries: [entry], notQuantized: [] });
  const values = file.graph.valuesByName();
  const bytes = [...values.get("w_packed")!.initializer!.bytes];
  const up = [0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe];
  const down = [0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01];
  // The second block of the first output starts one number higher: -8 is clipped to -7.
  const shifted = [0x00, 0x21, 0x43, 0x65, 0x87, 0xa9, 0xcb, 0xed];
  expect(bytes).toEqual([...up, ...shifted, ...down, ...down]);
  expect(values.get("w_packed")!.initializer!.shape).toEqual([2, 2, 8]);
  // Two zero points a byte, each output from a byte of its own on.
  expect([...values.get("w_zero_point")!.initializer!.bytes]).toEqual([0x78, 0x88]);
  expect(of("w")).toEqual({ float: undefined, quantized: values.get("w_packed") });
  expect(layer(matrixLayers(model.graph)[0]!)).toEqual(products[0]);
  expect(file.opsets.get("com.microsoft")).toBe(1);
  expect(products[0]!.nodes[0]!.int("accuracy_level", 0)).toBe(1);
  const read = readShipped(file);
  expect([read.products[0]!.nodes, read.products[0]!.weight]).toEqual([products[0]!.nodes, values.get("w_packed")]);
});

describe("what it cannot hold stays behind a DequantizeLinear, and the plan says why", () => {
  const one = (constants: string, body: string) =>
    `<ir_version: 8, opset_import: ["" : 17]> f (float[5,32] x) => (float[] y) <${constants}> { ${body} }`;
  const cases: readonly [reason: RegExp, text: string, choices?: Choices][] = [
    [/it takes 2, 4 or 8 bits/, one("float[32,8] w", "y = MatMul(x, w)"), { weights: "int3" }],
    [/it takes 2, 4 or 8 bits/, one("float[32,8] w", "y = MatMul(x, w)"), { weights: "float16" }],
    [/it takes scales in blocks/, one("float[32,8] w", "y = MatMul(x, w)"), { granularity: "channel" }],
    [/blocks of 16, 32, 64/, one("float[32,8] w", "y = MatMul(x, w)"), { granularity: { block: 8 } }],
    [/not only MatMul and Gemm read it/, one("float[8,32] w", "y = Gemm <transB = 1, alpha = 0.5> (x, w)")],
    [
      /its readers take it turned and as it is/,
      one("float[32,32] w", "a = MatMul(x, w) b = Gemm <transB = 1> (x, w) y = Add(a, b)"),
    ],
    [/it takes one matrix/, one("float[2,32,8] w", "y = MatMul(x, w)")],
    [/the input of MatMul .* is quantized/, one("float[32,8] w", "y = MatMul(x, w)"), { activations: "uint8" }],
  ];
  test.each(cases)("%s", async (reason, text, choices) => {
    const model = parseModel(text, { seed: 1 });
    const plan = await planned(model, choices);
    expect(entryOf(plan, "w")).not.toHaveProperty("storage");
    expect(entryOf(plan, "w").reason).toMatch(reason);
    expect([...lower(model, plan).model.graph.nodes].map(({ op }) => op)).not.toContain("MatMulNBits");
  });

  test("a plan that was changed by hand is refused", async () => {
    const model = parseModel(text, { seed: 4 });
    const plan = await planned(model, { granularity: "channel" });
    const changed = withEntries(plan, new Map([["w", { ...entryOf(plan, "w"), storage: "matmulnbits" }]]));
    expect(() => lower(model, changed)).toThrowError(
      expect.objectContaining({
        code: "quant/invalid-plan",
        message: expect.stringContaining("blocks"),
        detail: { at: "w", hint: expect.stringContaining("DequantizeLinear") },
      }),
    );
  });
});

describe("one entry at a time", () => {
  const blocks: Granularity = { kind: "block", axis: 0, size: 16, channelAxis: 1 };
  const refusal = (body: string, granularity: Granularity = blocks) => {
    const model = parseModel(
      `<ir_version: 8, opset_import: ["" : 17, "com.example" : 1]>
      f (float[32,32] x, bool c) => (float[32,32] y) <float[32,32] w> { ${body} }`,
      { seed: 4 },
    );
    const weight = model.graph.valuesByName().get("w")!;
    const entry = { ...planEntry("w", "weight", "int4", { granularity }), granularity };
    return matMulNBits.refusal(entry, weight, new Map());
  };

  test.each<[string, RegExp | undefined]>([
    ["y = MatMul(x, w)", undefined],
    ["y = MatMul(w, x)", /not only MatMul/],
    ["y = MatMul(w, w)", /not only MatMul/],
    ["y = com.example.MatMul(x, w)", /not only MatMul/],
    [
      "y = If(c) <then_branch = t () => (a) { a = MatMul(x, w) }, else_branch = e () => (b) { b = Neg(x) }>",
      /not only MatMul/,
    ],
  ])("%s", (body, wanted) => {
    const found = refusal(body);
    if (wanted === undefined) expect(found).toBeUndefined();
    else expect(found).toMatch(wanted);
  });

  test("scales in blocks along the inputs, no others", () => {
    const body = "y = MatMul(x, w)";
    for (const other of [
      { kind: "tensor" },
      { kind: "channel", axis: 0 },
      { ...blocks, axis: 1, channelAxis: 0 },
    ] as const)
      expect(refusal(body, other)).toBe("it takes scales in blocks");
  });

  test("only weights are asked for, and only packed products have one", () => {
    const model = parseModel(text, { seed: 4 });
    const activation = planEntry("x", "activation", "uint8");
    expect(withStorage([activation], model, ["matmulnbits"])[0]).toBe(activation);
    const [product] = model.graph.nodes;
    expect(matMulNBits.weightOf(product!)).toBeUndefined();
  });
});

test("a target may say the blocks itself; what they do not divide has a scale per channel", async () => {
  const model = parseModel(text, { seed: 4 });
  const shapes = await traceShapes(model, runtimes.node, seededFeeds(model));
  const target = packing({}, { weights: "int4", activations: "float32", weight_block: 32 });
  const { entries } = place(model, target, { shapes });
  expect(entries.map(({ value, granularity, storage }) => [value, granularity.kind, storage])).toEqual([
    ["w", "block", "matmulnbits"],
    ["v", "block", "matmulnbits"],
    ["u", "channel", undefined],
  ]);
});

test("the plan's JSON holds the form; encodings files know nothing of it, and keep it where they fit", async () => {
  const model = parseModel(text, { seed: 4 });
  const plan = await planned(model);
  expect(planFromJson(planToJson(plan))).toEqual(plan);
  const written = writeEncodings(plan, model);
  expect(written).toEqual(writeEncodings(withoutStorage(plan), model));
  expect(entryOf(applyEncodings(plan, readEncodings(written), model).plan, "w").storage).toBe("matmulnbits");
  const eight = writeEncodings(await planned(model, { weights: "int8" }), model);
  const other = applyEncodings(plan, readEncodings(eight), model).plan;
  expect(entryOf(other, "w")).not.toHaveProperty("storage");
  lower(model, other);
});

describe("a Gemm", () => {
  const gemm = (text: string) =>
    parseModel(
      `<ir_version: 8, opset_import: ["" : 17]> f (float[5,32] x) => (float[5,7] y) <float[7,32] w, float[32,7] u, float[7] b> { ${text} }`,
      { seed: 4 },
    );

  test.each([
    ["turned, with a bias", "y = Gemm <transB = 1> (x, w, b)", ["MatMulNBits", "Add"]],
    ["as it is", "y = Gemm (x, u)", ["MatMulNBits"]],
  ])("%s has the numbers of Q/DQ in both runtimes", async (_, body, ops) => {
    const model = gemm(body);
    const plan = await planned(model);
    const { model: packed } = lower(model, plan);
    expect([...packed.graph.nodes].map(({ op }) => op)).toEqual(ops);
    const feeds = seededFeeds(model);
    const wanted = await outputsOf(lower(model, withoutStorage(plan)).model, feeds, { optimization: "off" });
    for (const found of [await outputsOf(packed, feeds), await inWeb(packed, feeds)]) {
      // Sums of 32 products in float32.
      expect(apart(found.y!, wanted.y!)).toBeLessThan(1e-5);
    }
  });

  test.each(["y = Gemm <transB = 1, alpha = 0.5> (x, w, b)", "y = Gemm <transB = 1, beta = 2.0> (x, w, b)"])(
    "%s stays a Gemm",
    async (body) => {
      const { model } = lower(gemm(body), await planned(gemm(body)));
      expect([...model.graph.nodes].map(({ op }) => op)).toContain("Gemm");
    },
  );
});

test("a table that is the weight of the head, too, is in the file once", async () => {
  const model = parseModel(
    `<ir_version: 8, opset_import: ["" : 17]> f (int64[5] ids, float[5,32] x) => (float[5,32] e, float[5,48] y)
     <float[48,32] t, float[32,48] w> { e = Gather(t, ids) y = MatMul(x, w) }`,
    { seed: 4 },
  );
  const values = model.graph.valuesByName();
  const table = values.get("t")!.initializer!.floats();
  const turned = Array.from({ length: 32 * 48 }, (_, i) => table[(i % 48) * 32 + Math.floor(i / 48)]!);
  values.get("w")!.initializer = Tensor.float32([32, 48], turned);
  const feeds = { ids: Tensor.int64([5], [0, 47, 3, 3, 9]), x: seededFeeds(model).x! };
  const shapes = await traceShapes(model, runtimes.node, feeds);
  const grids = { weights: parseGrid("uint4"), activations: parseGrid("float32"), granularity: { block: 16 } };
  const storage = ["matmulnbits", "gatherblockquantized"] as const;
  const placed = place(model, builtinTarget("ort-cpu"), { shapes, storage, ...grids });
  expect(placed.entries.map(({ value, symmetric }) => [value, symmetric])).toEqual([["t", false], ["w", false]]); // biome-ignore format: one line
  const { plan } = await calibrate(model, placed, runtimes.node, arrayData(feeds), { scheme: "minmax", shapes });
  const { model: packed } = lower(model, plan);
  const constants = [...packed.graph.initializers].filter(({ initializer }) => initializer!.dtype === "uint8");
  expect(constants.map(({ initializer }) => initializer!.shape)).toEqual([[48, 16], [48, 1]]); // biome-ignore format: one line
  expect([...packed.graph.nodes].map(({ op }) => op).sort()).toEqual([
    "GatherBlockQuantized",
    "MatMulNBits",
    "Reshape",
  ]);
  const wanted = await outputsOf(lower(model, withoutStorage(plan)).model, feeds, { optimization: "off" });
  const runs = [
    await outputsOf(packed, feeds, { optimization: "off" }),
    await outputsOf(packed, feeds),
    await inWeb(packed, feeds),
  ];
  for (const found of runs) {
    for (const name of ["e", "y"]) expect(apart(found[name]!, wanted[name]!)).toBeLessThan(1e-5);
  }
});

test("accuracy level 4 is the plan's: it is in the file, in JSON, and moves the output of the native build by rounded inputs", async () => {
  const model = parseModel(
    `<ir_version: 10, opset_import: ["" : 21]> g (float[4,64] x) => (float[4,32] y) <float[64,32] w> { y = MatMul(x, w) }`,
    { seed: 4 },
  );
  const feeds = seededFeeds(model);
  const shapes = await traceShapes(model, runtimes.node, feeds);
  const grids = { weights: parseGrid("int4"), activations: parseGrid("float32"), granularity: { block: 32 } };
  const made = async (accuracyLevel?: 4) => {
    const placed = place(model, packing({}), { shapes, ...grids, accuracyLevel });
    const { plan } = await calibrate(model, placed, runtimes.node, arrayData(feeds), { scheme: "minmax", shapes });
    const again = planFromJson(planToJson(plan));
    expect(again).toEqual(plan);
    const file = lower(model, again).model;
    return { plan, level: [...file.graph.nodes][0]!.int("accuracy_level", 0), y: (await outputsOf(file, feeds)).y! };
  };
  const [exact, rounded] = [await made(), await made(4)];
  expect([exact.level, rounded.level]).toEqual([1, 4]);
  expect([exact, rounded].map(({ plan }) => entryOf(plan, "w").accuracyLevel)).toEqual([undefined, 4]);
  const [a, b] = [exact.y, rounded.y].map((tensor) => tensor.numbers());
  const norm = (values: number[]) => Math.hypot(...values);
  const moved = norm(a!.map((value, i) => value - b![i]!)) / norm(a!);
  // Eight bits of a block of 32: some thousandths.
  expect(moved).toBeGreaterThan(5e-4);
  expect(moved).toBeLessThan(2e-2);
});
