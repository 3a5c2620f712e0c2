/** Recurrent weights at rest: the file computes what the plan says, in both runtimes, from a quarter of the bytes. */
import { describe, expect, test } from "vitest";
import { seededFeeds } from "../../../test/same-outputs.ts";
import { writeModel } from "../../formats/inner.ts";
import { cloneModel, type Model, parseModel } from "../../ir/inner.ts";
import { openRuntime, traceShapes } from "../../runtime/inner.ts";
import { quantizeDequantize } from "../grids/fake-quantize.ts";
import { parseGrid } from "../grids/grid.ts";
import { encodeObserved } from "../observe/calibrate.ts";
import { place } from "../place/place.ts";
import { builtinTarget } from "../targets/targets.ts";
import { lower } from "./lower.ts";
import { readShipped } from "./read-shipped.ts";

const net = (op: string, gates: number, directions = 1) =>
  parseModel(
    `<ir_version: 10, opset_import: ["" : 21]> f (float[6,2,32] x) => (y) <float[${directions},${gates * 64},32] w, float[${directions},${gates * 64},64] r, float[${directions},${gates * 128}] b>
      { y = ${op} <hidden_size = 64, direction = "${directions === 2 ? "bidirectional" : "forward"}"> (x, w, r, b) }`,
    { seed: 3 },
  );

async function planOf(model: Model, weights: string, granularity: "tensor" | "channel") {
  const shapes = await traceShapes(model, await openRuntime(), seededFeeds(model));
  const placed = place(model, builtinTarget("ort-cpu"), { shapes, weights: parseGrid(weights), granularity });
  return encodeObserved(model, placed, new Map());
}

describe.each([
  ["GRU", net("GRU", 3), "int8", "channel"],
  ["GRU in both directions", net("GRU", 3, 2), "int8", "channel"],
  ["RNN with one scale", net("RNN", 1), "int8", "tensor"],
  ["GRU of four bits", net("GRU", 3), "int4", "channel"],
  ["LSTM of more bits than its kernel takes", net("LSTM", 4), "int12", "channel"],
] as const)("%s", (_, model, weights, granularity) => {
  test.each(["ort-node", "ort-web"] as const)("in %s next to the same numbers in float", async (name) => {
    const plan = await planOf(model, weights, granularity);
    expect(plan.entries.map(({ value, storage }) => [value, storage])).toEqual([
      ["w", "castweights"],
      ["r", "castweights"],
    ]);
    const rounded = cloneModel(model);
    for (const { value, encoding } of plan.entries) {
      const constant = rounded.graph.valuesByName().get(value)!;
      constant.initializer = quantizeDequantize(constant.initializer!, encoding!, "half-even");
    }
    const { model: shipped } = lower(model, plan);
    const feeds = seededFeeds(model);
    const runtime = await openRuntime(name);
    await using session = await runtime.open(shipped);
    await using float = await runtime.open(rounded);
    // The same operator on the same numbers: Cast and Mul give those of the grid to the bit.
    expect((await session.run(feeds)).y!.floats()).toEqual((await float.run(feeds)).y!.floats());
  });
});

test("the file of a GRU is 3.5 times smaller, and its stored weight is known", async () => {
  const model = net("GRU", 3);
  const { model: shipped } = lower(model, await planOf(model, "int8", "channel"));
  expect(writeModel(model).byteLength / writeModel(shipped).byteLength).toBeGreaterThan(3.4);
  expect(readShipped(shipped).products.map(({ weight }) => weight?.name)).toEqual(["w_quantized"]);
});
