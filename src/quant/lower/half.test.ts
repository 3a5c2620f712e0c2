/** Half precision: every operator that may be half opens in both runtimes and computes what it did; what does not fit stays in float32. */
import { describe, expect, test } from "vitest";
import { sampleOf, samples } from "../../../test/operator-zoo.ts";
import { seededFeeds } from "../../../test/same-outputs.ts";
import { halfRows } from "../../facts/inner.ts";
import { type Model, parseModel, printModel } from "../../ir/inner.ts";
import type { StandardOp } from "../../ops/inner.ts";
import { openRuntime, type Runtime, traceShapes } from "../../runtime/inner.ts";
import type { Feeds } from "../../tensor/inner.ts";
import { builtinTarget, lower, type Plan, parseGrid, place } from "../inner.ts";
import { planFromJson, planToJson } from "../inner-files.ts";

const runtimes = { node: await openRuntime("ort-node"), web: await openRuntime("ort-web") };

const plan = (float: Plan["notQuantized"] = [], ports?: true): Plan => ({
  version: 1,
  target: "ort-cpu",
  entries: [],
  notQuantized: [],
  half: { dtype: "float16", float, ...(ports ? { ports } : {}) },
});

async function run(runtime: Runtime, model: Model, feeds: Feeds): Promise<Feeds> {
  await using session = await runtime.open(model, { threads: 1 });
  return await session.run(feeds);
}

/** Half precision has 11 bits; what a few operators in a row make of that. */
const tolerance = 4 * 2 ** -11;

/** Largest difference in parts of the largest number. */
function apart(before: Feeds, after: Feeds): number {
  return Math.max(
    ...Object.keys(before).map((name) => {
      const [a, b] = [before[name]!.numbers(), after[name]!.numbers()];
      const size = a.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 1e-3);
      return a.reduce((most, x, i) => Math.max(most, Object.is(x, b[i]) ? 0 : Math.abs(x - b[i]!)), 0) / size;
    }),
  );
}

/** Operators whose answer to a number a thousandth away is another one. */
const jumps = new Set(["ArgMax", "ArgMin", "Hardmax", "TopK", "Floor", "Ceil", "Round", "Sign", "Mod", "Compress"]);

const able = (Object.keys(samples) as StandardOp[]).filter(
  (op) => !("unknown" in halfRows[op]) && op !== "DequantizeLinear",
);

describe.each(able)("%s", (op) => {
  test("computes in half precision, in both runtimes", async () => {
    const model = sampleOf(op, 21);
    const { model: file, half } = lower(model, plan());
    const feeds = seededFeeds(model);
    const before = await run(runtimes.node, model, feeds);
    const reads = [...model.graph.nodes].find((node) => node.op === op);
    expect(half!.float.map(({ value }) => value)).not.toContain(reads?.output.name);
    for (const runtime of Object.values(runtimes)) {
      const after = await run(runtime, file, feeds);
      if (!jumps.has(op)) expect(apart(before, after)).toBeLessThan(tolerance);
    }
  });
});

const net = `<ir_version: 10, opset_import: ["" : 21]> net (float[2,8] x) => (float[2,4] y)
  <float[8,6] w, float[6] b, float[6,4] v> {
    m = MatMul(x, w)
    a = Add(m, b)
    r = Relu(a)
    y = MatMul(r, v) }`;

describe("a graph", () => {
  test("is half between two Casts, with its constants", () => {
    const { model, half } = lower(parseModel(net, { seed: 2 }), plan());
    expect(half).toEqual({ nodes: 4, float: [] });
    expect([...model.graph.nodes].map(({ op }) => op)).toEqual(["Cast", "MatMul", "Add", "Relu", "MatMul", "Cast"]);
    expect([...model.graph.initializers].map(({ initializer }) => initializer!.dtype)).toEqual([
      "float16",
      "float16",
      "float16",
    ]);
    expect(model.graph.outputs[0]).toMatchObject({ name: "y", type: { dtype: "float32" } });
  });

  test("is half from end to end where its ports are", async () => {
    const float = parseModel(net, { seed: 2 });
    const { model } = lower(float, plan([], true));
    expect([...model.graph.nodes].map(({ op }) => op)).toEqual(["MatMul", "Add", "Relu", "MatMul"]);
    expect(printModel(model)).toContain("float16[2,8] x");
    const feeds = seededFeeds(float);
    for (const runtime of Object.values(runtimes)) {
      const after = await run(runtime, model, feeds);
      expect(after.y!.dtype).toBe("float16");
      expect(apart(await run(runtime, float, feeds), after)).toBeLessThan(tolerance);
    }
  });

  test("keeps what the plan keeps, with Casts around it", () => {
    const { model, half } = lower(parseModel(net, { seed: 2 }), plan([{ value: "r", reason: "r reaches 1e+6" }]));
    expect(half!.float).toEqual([{ value: "r", reason: "r reaches 1e+6" }]);
    expect([...model.graph.nodes].map(({ op }) => op).join(" ")).toBe("Cast MatMul Add Cast Relu Cast MatMul Cast");
  });

  test.each([
    ["a constant beyond the end", "float k = {70000}", "Mul(x, k)", /k holds 7\.00e\+4: half precision ends at 65504/],
    ["a constant that vanishes", "float k = {1e-12}", "Mul(x, k)", /k holds nothing above 1\.00e-12/],
    ["a sum", "int64[1] k = {1}", "ReduceSum(x, k)", /sums of many numbers/],
  ])("%s keeps its reader in float32", (_, constant, node, reason) => {
    const text = `<ir_version: 10, opset_import: ["" : 21]> f (float[2,8] x) => (float y) <${constant}> { y = ${node} }`;
    const { half } = lower(parseModel(text), plan());
    expect(half!.nodes).toBe(0);
    expect(half!.float[0]!.reason).toMatch(reason);
  });

  test("a bound that no number reaches becomes the end of half precision", async () => {
    const text = `<ir_version: 10, opset_import: ["" : 21]> f (float[2,3] x, bool[2,3] c) => (float[2,3] y) <float k = {-3.4e38}> {
      w = Where(c, x, k) y = Softmax(w) }`;
    const float = parseModel(text);
    const { model, half } = lower(float, plan());
    expect(half).toEqual({ nodes: 2, float: [] });
    const feeds = seededFeeds(float);
    expect(apart(await run(runtimes.node, float, feeds), await run(runtimes.node, model, feeds))).toBeLessThan(
      tolerance,
    );
  });

  test("arithmetic that leads to integers and to angles stays in float32", () => {
    const text = `<ir_version: 10, opset_import: ["" : 21]> f (float[2,3] x) => (int64[2,3] y, float[2,3] z) <float k = {3}> {
      m = Mul(x, k) y = Cast <to = 7> (m) a = Add(x, k) z = Sin(a) }`;
    const { half } = lower(parseModel(text), plan());
    expect(half!.nodes).toBe(0);
    expect(Object.fromEntries(half!.float.map(({ value, reason }) => [value, reason]))).toMatchObject({
      m: "it leads to an integer",
      a: "angles need more digits than half precision has",
    });
  });

  test("integer kernels stay between quantizers, and the rest is half", async () => {
    const text = `<ir_version: 10, opset_import: ["" : 21]> f (float[1,8,5,5] x) => (float[1,8,5,5] y)
      <float[8,8,1,1] w, float[8,8,1,1] v, float[8,8,1,1] u> {
        [one] a = Conv(x, w) b = Relu(a) [two] c = Conv(b, v) d = Tanh(c) [three] y = Conv(d, u) }`;
    const float = parseModel(text, { seed: 4 });
    const feeds = seededFeeds(float);
    const shapes = await traceShapes(float, runtimes.node, feeds);
    const placed = place(float, builtinTarget("aimet-default"), {
      shapes,
      weights: parseGrid("float32"),
      activations: parseGrid("float32"),
      grids: [{ match: "two", weights: parseGrid("int8"), activations: parseGrid("uint8") }],
      half: { dtype: "float16", float: [] },
    });
    expect(placed.half).toEqual({ dtype: "float16", float: [] });
    const { calibrate } = await import("../inner.ts");
    const { fromArray } = await import("../../data/inner.ts");
    const data = fromArray("x", feeds.x!.shape, feeds.x!.floats());
    const { plan: filled } = await calibrate(float, placed, runtimes.node, data, { scheme: "minmax" });
    const { model, half } = lower(float, filled);
    expect(half!.float.map(({ value }) => value)).toContain("c");
    const two = [...model.graph.nodes].find(({ name }) => name === "two")!;
    expect(two.inputs.slice(0, 2).map((value) => value?.producer?.op)).toEqual([
      "DequantizeLinear",
      "DequantizeLinear",
    ]);
    expect(apart(await run(runtimes.node, float, feeds), await run(runtimes.web, model, feeds))).toBeLessThan(0.05);
  });

  test.each(["MatMulNBits", "GatherBlockQuantized"])("%s reads and gives half precision", async (op) => {
    const text =
      op === "MatMulNBits"
        ? `<ir_version: 10, opset_import: ["" : 21]> f (float[3,64] x) => (float[3,8] y) <float[64,8] w> { m = MatMul(x, w) y = Relu(m) }`
        : `<ir_version: 10, opset_import: ["" : 21]> f (int64[3] x) => (float[3,64] y) <float[40,64] w> { m = Gather(w, x) y = Relu(m) }`;
    const float = parseModel(text, { seed: 4 });
    const feeds = seededFeeds(float);
    const placed = place(float, builtinTarget("ort-cpu"), {
      shapes: await traceShapes(float, runtimes.node, feeds),
      weights: parseGrid("int8"),
      activations: parseGrid("float32"),
      granularity: { block: 32 },
      storage: ["matmulnbits", "gatherblockquantized"],
      half: { dtype: "float16", float: [] },
    });
    const { encodeObserved } = await import("../inner.ts");
    const { model, half } = lower(float, encodeObserved(float, placed, new Map()));
    expect(half!.float).toEqual([]);
    expect([...model.graph.nodes].map((node) => node.op)).toContain(op);
    const before = await run(runtimes.node, float, feeds);
    for (const runtime of Object.values(runtimes))
      expect(apart(before, await run(runtime, model, feeds))).toBeLessThan(0.02);
  });
});

test("a plan with half precision is the same after JSON", () => {
  const one = plan([{ value: "r", reason: "why" }], true);
  expect(planFromJson(planToJson(one))).toEqual(one);
});
