/** Tables stored for GatherBlockQuantized: the numbers of the plan in both runtimes, the bytes by hand, and what stays as it is. */
import { describe, expect, test } from "vitest";
import { arrayData } from "../../../test/array-data.ts";
import { type Model, parseModel } from "../../ir/inner.ts";
import { openRuntime, traceShapes } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import {
  builtinTarget,
  calibrate,
  type GridRule,
  lower,
  type Plan,
  type PlanEntry,
  parseGrid,
  place,
  quantizeDequantize,
  readShipped,
  targetFile,
  type WeightGranularity,
  withoutStorage,
} from "../inner.ts";
import { parseTarget } from "../inner-files.ts";

const runtimes = { node: await openRuntime("ort-node"), web: await openRuntime("ort-web") };
const header = `<ir_version: 8, opset_import: ["" : 17]>`;
const text = `${header} f (int64[2,3] ids) => (float[2,3,48] rows, float[2,3,5] y) <float[20,48] table, float[48,5] w> {
  rows = Gather(table, ids)
  y = MatMul(rows, w) }`;
const feeds = { ids: Tensor.int64([2, 3], [0n, 19n, 7n, 7n, 3n, 11n]) };

interface Choices {
  readonly weights?: string;
  readonly activations?: string;
  readonly granularity?: WeightGranularity;
  readonly symmetric?: boolean;
  readonly grids?: readonly GridRule[];
  readonly keepFloat?: readonly string[];
}

async function planned(model: Model, choices: Choices = {}, given: Record<string, Tensor> = feeds): Promise<Plan> {
  const file = targetFile("aimet-default");
  const params = { is_quantized: true, is_symmetric: choices.symmetric ?? true };
  const target = parseTarget({ ...file, defaults: { ...file.defaults, params } }, "packing");
  const shapes = await traceShapes(model, runtimes.node, given);
  const { weights = "int4", activations = "float32", granularity = { block: 16 }, grids, keepFloat } = choices;
  const plan = place(model, target, {
    shapes,
    weights: parseGrid(weights),
    activations: parseGrid(activations),
    granularity,
    grids,
    keepFloat,
    storage: ["matmulnbits", "gatherblockquantized"],
  });
  return (await calibrate(model, plan, runtimes.node, arrayData(given), { scheme: "minmax", shapes })).plan;
}

const entryOf = (plan: Plan, value: string): PlanEntry => plan.entries.find((entry) => entry.value === value)!;
const opsOf = (model: Model) => [...model.graph.nodes].map(({ op }) => op);

describe("rows are those of the grid, in both runtimes", () => {
  const cases = ["int2", "uint2", "int4", "uint4", "int8", "uint8"].flatMap((weights) => [
    { weights, symmetric: true },
    { weights, symmetric: false },
  ]);
  test.each(cases)("$weights, symmetric $symmetric", async (choices) => {
    const model = parseModel(text, { seed: 4 });
    const plan = await planned(model, choices);
    const packed = lower(model, plan).model;
    expect(opsOf(packed)).toEqual(["GatherBlockQuantized", "MatMulNBits"]);
    // Who asks for the form with unsigned blocks gets zero points.
    const hasZeroPoints = !choices.symmetric || choices.weights.startsWith("u");
    expect(packed.graph.valuesByName().has("table_zero_point")).toBe(hasZeroPoints);
    const table = quantizeDequantize(
      model.graph.valuesByName().get("table")!.initializer!,
      entryOf(plan, "table").encoding!,
    ).floats();
    const wanted = [...feeds.ids.data].flatMap((id) => [...table.subarray(48 * Number(id), 48 * Number(id) + 48)]);
    for (const runtime of Object.values(runtimes)) {
      await using session = await runtime.open(packed, { threads: 1 });
      // One product of a scale and an integer: nothing is rounded twice.
      expect([...(await session.run(feeds)).rows!.floats()]).toEqual(wanted);
    }
  });
});

test("the bytes: by row, the first integer in the lowest bits", () => {
  const model = parseModel(`${header} f (int64[1] i) => (float[1,32] y) <float[2,32] w> { y = Gather(w, i) }`, {
    seed: 1,
  });
  const up = Array.from({ length: 16 }, (_, k) => k - 8);
  const down = up.map((x) => -1 - x);
  model.graph.valuesByName().get("w")!.initializer = Tensor.float32([2, 32], [...up, ...down, ...down, ...up]);
  const form = { grid: parseGrid("int4"), granularity: { kind: "block", axis: 1, size: 16, channelAxis: 0 }, symmetric: false } as const; // biome-ignore format: one line
  const encoding = { ...form, scale: [1, 1, 1, 1], offset: [-8, -8, -8, -7] };
  const entry: PlanEntry = {
    value: "w",
    kind: "weight",
    ...form,
    storage: "gatherblockquantized",
    reason: "",
    encoding,
  };
  const { model: file, of } = lower(model, { version: 1, target: "t", entries: [entry], notQuantized: [] });
  const values = file.graph.valuesByName();
  const rising = [0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe];
  const falling = [0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01];
  // The last block starts one number higher: -8 is clipped to -7.
  const shifted = [0x00, 0x21, 0x43, 0x65, 0x87, 0xa9, 0xcb, 0xed];
  expect([...values.get("w_packed")!.initializer!.bytes]).toEqual([...rising, ...falling, ...falling, ...shifted]);
  expect(values.get("w_packed")!.initializer!.shape).toEqual([2, 16]);
  expect([...values.get("w_zero_point")!.initializer!.bytes]).toEqual([0x88, 0x78]);
  expect(of("w")).toEqual({ float: undefined, quantized: values.get("w_packed") });
  expect(readShipped(file).products, "a Gather is no product").toEqual([]);
});

describe("what cannot be packed", () => {
  const one = (constants: string, body: string) =>
    `${header} f (int64[2] i, float[2,32] x) => (float[] y) <${constants}> { ${body} }`;
  const given = { i: Tensor.int64([2], [1n, 0n]), x: Tensor.float32([2, 32], new Float32Array(64).fill(0.5)) };
  const both = "a = MatMul(x, w) g = Gather(t, i) y = Add(a, g)";
  const left: readonly [reason: RegExp, choices: Choices][] = [
    [/in blocks alone/, { granularity: "channel" }],
    [/blocks of 64 do not divide 32/, { grids: [{ match: "g", granularity: { block: 64 } }] }],
    [/you asked for weights in float/, { grids: [{ match: "g", weights: parseGrid("float32") }] }],
    [/you asked for Gather to stay in float/, { keepFloat: ["Gather"] }],
  ];
  test.each(left)("stays float: %s", async (reason, choices) => {
    const model = parseModel(one("float[32,32] w, float[40,32] t", both), { seed: 1 });
    const plan = await planned(model, choices, given);
    expect(plan.notQuantized.find(({ value }) => value === "t")!.reason).toMatch(reason);
    expect(opsOf(lower(model, plan).model)).toContain("Gather");
  });

  test.each([
    [/2, 4 or 8 bits/, { grids: [{ match: "g", weights: parseGrid("int3") }] }],
    [/blocks of 16, 32, 64/, { granularity: { block: 8 } }],
  ] as const)("lies behind a DequantizeLinear: %s", async (reason, choices) => {
    const model = parseModel(one("float[32,32] w, float[40,32] t", both), { seed: 1 });
    const plan = await planned(model, choices, given);
    expect(entryOf(plan, "t").reason).toMatch(reason);
    await using session = await runtimes.node.open(lower(model, plan).model);
    await session.run(given);
  });

  test("a table between quantized activations follows the target's rule for constants", async () => {
    const model = parseModel(one("float[32,32] w, float[40,32] t", both), { seed: 1 });
    const plan = await planned(model, { activations: "uint8" }, given);
    expect(entryOf(plan, "t").granularity.kind).toBe("tensor");
  });

  test("a table that is the weight of the last product too is stored once", async () => {
    const tied = one("float[40,32] t", "g = Gather(t, i) s = Add(g, x) y = Gemm <transB = 1> (s, t)");
    const model = parseModel(tied, { seed: 1 });
    const plan = await planned(model, {}, given);
    expect(entryOf(plan, "t").granularity).toMatchObject({ kind: "block", axis: 1 });
    const file = lower(model, plan).model;
    expect([...file.graph.initializers].filter(({ name }) => name.startsWith("t_")).map(({ name }) => name)).toEqual([
      "t_scale",
      "t_zero_point",
      "t_quantized",
    ]);
    const numbers = async (which: Model) => {
      await using session = await runtimes.node.open(which, { optimization: "off" });
      return (await session.run(given)).y!.floats();
    };
    expect(await numbers(file)).toEqual(await numbers(lower(model, withoutStorage(plan)).model));
  });
});

test("without the form a table stays as the target has it", () => {
  const model = parseModel(text, { seed: 4 });
  const plan = place(model, builtinTarget("ort-cpu"), {
    shapes: new Map(),
    activations: parseGrid("float32"),
    granularity: { block: 16 },
  });
  expect(plan.notQuantized.map(({ value }) => value)).toContain("table");
});
