/** The cursor: what it holds equals a run of the whole model, each node runs once, and nothing stays behind. */
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { describe, expect, test } from "vitest";
import { arrayData } from "../../../test/array-data.ts";
import { Random } from "../../base/inner.ts";
import { addNode, cloneModel, type Model, parseModel } from "../../ir/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { openRuntime } from "../doors/open-runtime.ts";
import type { Runtime, SessionOptions } from "../runtime.ts";
import { openTaps } from "../taps.ts";
import type { Spill } from "./activations.ts";
import { type Cursor, openCursor } from "./cursor.ts";
import { openSpill } from "./spill-node.ts";

const runtime = await openRuntime();
// Pieces and the whole are optimized differently, which moves last bits; without optimization they are the same sums.
const session: SessionOptions = { optimization: "off" };

/** Two residual blocks, the second with a projection; the skips stay alive across the cuts inside the blocks. */
const residual = () =>
  parseModel(
    `<ir_version: 10, opset_import: ["" : 21]>
     g (float[N, 3, 8, 8] x, float[N, 1] unused) => (float[N, 5] y)
     <float[4, 3, 3, 3] w0, float[4, 4, 3, 3] w1, float[4, 4, 3, 3] w2, float[6, 4, 3, 3] w3, float[6, 4, 1, 1] w4, float[6, 5] w5> {
       c0 = Conv <pads = [1, 1, 1, 1]> (x, w0)  r0 = Relu(c0)
       c1 = Conv <pads = [1, 1, 1, 1]> (r0, w1)  r1 = Relu(c1)
       c2 = Conv <pads = [1, 1, 1, 1]> (r1, w2)  a2 = Add(c2, r0)  r2 = Relu(a2)
       c3 = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (r2, w3)
       c4 = Conv <strides = [2, 2]> (r2, w4)
       a4 = Add(c3, c4)  p = GlobalAveragePool(a4)  f = Flatten(p)  y = MatMul(f, w5)
     }`,
    { seed: 5 },
  );
/** The input of each linear layer, in order. */
const stops = ["x", "r0", "r1", "r2", "f"];
const weightsAt: Record<string, string[]> = { x: ["w0"], r0: ["w1"], r1: ["w2"], r2: ["w3", "w4"], f: ["w5"] };

const random = new Random(2);
const x = Tensor.float32(
  [10, 3, 8, 8],
  Float32Array.from({ length: 1920 }, () => random.normal()),
);
const data = arrayData({ x, unused: Tensor.float32([10, 1], new Float32Array(10)) });

/** A runtime that counts the nodes of what it opens. */
function counting(): { runtime: Runtime; nodes: () => number } {
  let nodes = 0;
  const open: Runtime["open"] = (model, options) => {
    nodes += (model as Model).graph.nodeCount;
    return runtime.open(model, options);
  };
  return { runtime: { ...runtime, open }, nodes: () => nodes };
}

/** Every value named, of the whole model run at once. */
async function wholeRun(model: Model, names: readonly string[]): Promise<Map<string, number[]>> {
  await using taps = await openTaps(model, runtime, { values: names, session });
  const found = new Map<string, number[]>(names.map((name) => [name, []]));
  for await (const { values } of taps.stream(data, { batch: 4 })) {
    for (const name of names) found.get(name)!.push(...values[name]!.floats());
  }
  return found;
}

function roundWeights(model: Model, names: readonly string[]): void {
  for (const value of model.graph.initializers) {
    const { initializer } = value;
    if (!initializer || !names.includes(value.name)) continue;
    value.initializer = Tensor.float32(initializer.shape, initializer.floats().map(Math.round));
  }
}

async function readAll(cursor: Cursor, name: string, branch: "float" | "quantized"): Promise<number[]> {
  const found: number[] = [];
  for await (const pair of cursor.pairs(name)) found.push(...pair[branch].floats());
  return found;
}

describe("both branches equal whole runs bit for bit, at every stop", () => {
  test.each([
    ["in memory", 2 ** 20],
    ["half on disk", 20_000],
    ["all on disk", 0],
  ])("%s", async (_, memoryBudget) => {
    const model = residual();
    const quantized = residual();
    const opened: Spill[] = [];
    const options = { model, quantized, runtime, data, batch: 4, memoryBudget, session };
    await using cursor = await openCursor({
      ...options,
      openSpill: async () => {
        opened.push(await openSpill());
        return opened.at(-1)!;
      },
    });
    expect(cursor.samples).toBe(10);
    const edited = residual();
    for (const stop of [...stops, "y"]) {
      await cursor.advance([stop]);
      const floats = await wholeRun(model, [stop]);
      const quants = await wholeRun(edited, [stop]);
      expect(await readAll(cursor, stop, "float")).toEqual(floats.get(stop));
      expect(await readAll(cursor, stop, "quantized")).toEqual(quants.get(stop));
      // The layer just reached gets other weights in the quantized branch, as a method would do.
      for (const changed of [quantized, edited]) roundWeights(changed, weightsAt[stop] ?? []);
    }
    expect(opened.length).toBe(memoryBudget === 2 ** 20 ? 0 : 1);
    expect((await wholeRun(model, ["y"])).get("y")).not.toEqual((await wholeRun(edited, ["y"])).get("y"));
  });
});

test("each node runs once per branch, however many stops there are", async () => {
  const model = residual();
  const counted = counting();
  await using cursor = await openCursor({ model, quantized: residual(), runtime: counted.runtime, data, session });
  for (const stop of stops) await cursor.advance([stop]);
  await cursor.advance(["y"]);
  expect(counted.nodes()).toBe(2 * model.graph.nodeCount);
});

test("the cut holds what the rest needs and no more", async () => {
  await using cursor = await openCursor({ model: residual(), runtime, data, session });
  const cuts: string[][] = [];
  for (const stop of ["x", "r0", "c1", "c2", "r2", "c4", "f", "y"]) {
    await cursor.advance([stop]);
    cuts.push(cursor.float.cut.sort());
  }
  expect(cuts).toEqual([["x"], ["r0"], ["c1", "r0"], ["c2", "r0"], ["r2"], ["c4", "r2"], ["f"], ["y"]]);
});

test("quantizers inserted ahead of the cursor run, and the branches may stand at different places", async () => {
  const quantized = residual();
  await using cursor = await openCursor({ model: residual(), quantized, runtime, data, session });
  await cursor.advance(["r1"]);
  const { graph } = quantized;
  const r1 = graph.valuesByName().get("r1")!;
  const scale = graph.addInitializer("scale", Tensor.scalar(0.25));
  const zero = graph.addInitializer("zero", Tensor.of("uint8", [], Uint8Array.of(3)));
  const q = addNode(graph, "QuantizeLinear", [r1, scale, zero], {}, { place: { after: r1.producer! } });
  const d = addNode(graph, "DequantizeLinear", [q.output, scale, zero], {}, { output: "r1_dq", place: { after: q } });
  graph.replaceUses(r1, d.output, (use) => "node" in use && use.node !== q);
  await cursor.advance(["r1"], ["r1_dq"]);
  for await (const { float, quantized: simulated } of cursor.pairs("r1", "r1_dq")) {
    const expected = float.floats().map((v) => (Math.min(255, Math.max(0, roundEven(v / 0.25) + 3)) - 3) * 0.25);
    expect([...simulated.floats()]).toEqual([...expected]);
  }
  // Float first, to the end of the block: its target, while the quantized branch still stands at its start.
  await cursor.float.advance(["r2"]);
  const block = cursor.quantized.piece(["r2"]);
  expect([block.graph.inputs.map((v) => v.name).sort(), [...block.graph.nodes].map((n) => n.op)]).toEqual([
    ["r0", "r1_dq"],
    ["Conv", "Add", "Relu"],
  ]);
  await cursor.quantized.advance(["r2"]);
  expect(cursor.quantized.cut).toEqual(["r2"]);
});

test("4-bit activations, shared constants and captured values are walked through", async () => {
  const model = parseModel(
    `<ir_version: 10, opset_import: ["" : 21]>
     g (float[N, 4] x, bool flag) => (float[N, 4] y)
     <float s = {0.5}, int4 z = {0}, int8[4, 4] wq = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, float t = {0.1}> {
       w = DequantizeLinear(wq, t)
       q = QuantizeLinear(x, s, z)
       d1 = DequantizeLinear(q, s, z)
       m1 = MatMul(d1, w)
       d2 = DequantizeLinear(q, s, z)
       i = If (flag) <then_branch = a () => (u) { u = Add(d2, m1) }, else_branch = b () => (v) { v = Neg(m1) }>
       y = MatMul(i, w)
     }`,
  );
  const rows = Tensor.float32(
    [6, 4],
    Float32Array.from({ length: 24 }, (_, i) => i / 8 - 1),
  );
  const flags = {
    source: "rows",
    count: 6,
    async *batches() {
      yield { feeds: { x: rows, flag: Tensor.of("bool", [], Uint8Array.of(1)) }, first: 0, size: 6 };
    },
  };
  await using cursor = await openCursor({ model, runtime, data: flags, session });
  await cursor.advance(["d1"]);
  // The quantized value cannot be held: its input is, and QuantizeLinear runs again.
  expect(cursor.float.cut.sort()).toEqual(["d1", "flag", "x"]);
  await cursor.advance(["m1"]);
  await cursor.advance(["i"]);
  expect(cursor.float.cut).toEqual(["i"]);
  await cursor.advance(["y"]);
  await using whole = await runtime.open(cloneModel(model), session);
  const { y } = await whole.run({ x: rows, flag: Tensor.of("bool", [], Uint8Array.of(1)) });
  for await (const { values } of cursor.float.read(["y"])) expect(values.y!.data).toEqual(y!.data);
});

describe("what cannot be done says so", () => {
  const failing = (code: string) => expect.objectContaining({ code });

  test("going back, unknown values, constants, values that were not advanced to", async () => {
    await using cursor = await openCursor({ model: residual(), runtime, data, session });
    await cursor.advance(["r2"]);
    await expect(cursor.advance(["r1"])).rejects.toEqual(failing("graph/not-found"));
    await expect(cursor.advance(["nope"])).rejects.toEqual(failing("graph/not-found"));
    await expect(cursor.advance(["w5"])).rejects.toEqual(failing("graph/not-found"));
    await expect(cursor.float.read(["f"])[Symbol.asyncIterator]().next()).rejects.toEqual(failing("graph/not-found"));
    await cursor.advance(["f"]);
  });

  test("no data", async () => {
    const none = { source: "nothing", count: 0, async *batches() {} };
    await expect(openCursor({ model: residual(), runtime, data: none })).rejects.toEqual(failing("data/none"));
  });

  test("no room and no disk", async () => {
    const options = { model: residual(), runtime, data, memoryBudget: 100 };
    const closed: string[] = [];
    const full = async (): Promise<Spill> => ({
      write: () => Promise.reject(Object.assign(new Error("disk full"), { code: "ENOSPC" })),
      read: () => Promise.reject(new Error("unread")),
      free: () => {},
      [Symbol.asyncDispose]: async () => void closed.push("closed"),
    });
    await expect(openCursor({ ...options, openSpill: full })).rejects.toThrow("disk full");
    expect(closed).toEqual(["closed"]);
  });
});

test("an abort stops in the middle with its code, and the temporary file is gone", async () => {
  const leftovers = () => readdirSync(tmpdir()).filter((name) => name.startsWith("avocet-activations-"));
  const before = leftovers().length;
  const stop = new AbortController();
  const steps: string[] = [];
  const cursor = await openCursor({
    model: residual(),
    quantized: residual(),
    runtime,
    data,
    batch: 2,
    memoryBudget: 0,
    session,
    signal: stop.signal,
    onProgress: ({ step, done, total }) => {
      steps.push(`${step} ${done}/${total}`);
      if (steps.length === 7) stop.abort();
    },
  });
  await expect(cursor.advance(["r0"])).rejects.toEqual(expect.objectContaining({ code: "abort/interrupted" }));
  expect(steps.slice(4)).toEqual([
    "float activations 10/10",
    "quantized activations 2/10",
    "quantized activations 4/10",
  ]);
  await cursor[Symbol.asyncDispose]();
  expect(leftovers().length).toBe(before);
});

function roundEven(v: number): number {
  const r = Math.round(v);
  return Math.abs(v % 1) === 0.5 && r % 2 !== 0 ? r - 1 : r;
}
