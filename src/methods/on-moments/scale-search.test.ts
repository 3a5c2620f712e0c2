/** The search of scales on moments against trying every factor by hand, in float64: per tensor, channel and block. */

import { expect, test } from "vitest";
import { randomProblem } from "../../../test/rounding-problem.ts";
import { roundHalfEven } from "../../base/inner.ts";
import { matrixLayerAt } from "../../facts/inner.ts";
import { parseModel } from "../../ir/inner.ts";
import { type Encoding, encodeWeight, type Granularity, type PlanEntry } from "../../quant/inner.ts";
import { openRuntime } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { nearest, objective, withEncoding } from "./rounding-problem.ts";
import { RowErrors } from "./row-errors.ts";
import { withBestScales } from "./scale-search.ts";
import { withSearchedScales } from "./searched-scales.ts";

const granularities: Record<string, Granularity> = {
  tensor: { kind: "tensor" },
  channel: { kind: "channel", axis: 0 },
  "block of 2": { kind: "block", axis: 1, size: 2, channelAxis: 0 },
  "block of 4": { kind: "block", axis: 1, size: 4, channelAxis: 0 },
};
const factors = [0.3, 0.5, 0.7, 0.85, 1];

test.each(Object.entries(granularities))("per %s the best factor is found", async (kind, granularity) => {
  const [outputs, columns] = [6, 8];
  const problem = randomProblem(7, 1, outputs, columns);
  // Even columns carry no signal. Every other row has outliers there, in each of its blocks: it wants much smaller scales.
  for (let i = 0; i < columns * columns; i++)
    if ((i % columns) % 2 === 0 || Math.floor(i / columns) % 2 === 0) problem.h[i] = 0;
  for (let i = 0; i < problem.weight.length; i += 2) {
    problem.weight[i] = Math.floor(i / columns) % 2 === 1 ? 6 : 0.1;
    problem.t[i] = 0;
  }
  const weight = Tensor.float32([outputs, columns], Float32Array.from(problem.weight));
  const model = parseModel(
    `<ir_version: 10, opset_import: ["" : 21]> f (float[N,8] x) => (float[N,6] y) <float[6,8] w> { y = Gemm <transB = 1> (x, w) }`,
    { seed: 1 },
  );
  model.graph.valuesByName().get("w")!.initializer = weight;
  const layer = matrixLayerAt([...model.graph.nodes][0]!)!;
  const grid = { kind: "int", bits: 4, signed: true } as const;
  const entry: PlanEntry = { value: "w", kind: "weight", grid, granularity, symmetric: true, reason: "" };
  const spanning = encodeWeight(weight, { grid, granularity, symmetric: true }, "minmax");
  // What the plan has is the worst of all here, so that the search has to find another one.
  const given: Encoding = { ...spanning, scale: spanning.scale.map((s) => 8 * s) };
  const placed = { ...withEncoding(problem, layer, given), weight: Float64Array.from(weight.floats()) };
  await using errors = await RowErrors.open(await openRuntime(), 1);
  const found = await withBestScales(placed, layer, { spanning, given, entry }, errors, { factors });

  const candidates = factors.map((factor) => ({
    ...spanning,
    scale: spanning.scale.map((s) => Math.fround(s * factor)),
  }));
  const costs = candidates.map((encoding) => {
    const tried = withEncoding(placed, layer, encoding);
    return objective(tried, nearest(tried, roundHalfEven));
  });
  // Rows that share a scale are judged together; the blocks of a row share its factor.
  const total = (c: number) => costs[c]!.reduce((a, b) => a + b, 0);
  const bestOf = (row: number) => {
    const each = costs.map((rows, c) => (kind === "tensor" ? total(c) : rows[row]!));
    return each.indexOf(Math.min(...each));
  };
  if (kind !== "tensor")
    expect(new Set(Array.from({ length: outputs }, (_, row) => bestOf(row))).size).toBeGreaterThan(1);
  const each = spanning.scale.length / outputs;
  const wanted = spanning.scale.map((_, slice) => candidates[bestOf(Math.floor(slice / each))]!.scale[slice]);
  expect(found.encoding.scale).toEqual(wanted);
  // The problem that comes back is that of the encoding: a block's scale on each of its elements.
  expect(found.problem.scale).toEqual(withEncoding(placed, layer, found.encoding).scale);
  expect(new Set(found.problem.scale.subarray(0, columns)).size).toBe(
    kind.startsWith("block") ? columns / Number(kind.slice(-1)) : 1,
  );
});

test("each block finds its own factor, judged by the error of its own columns", async () => {
  const [outputs, columns, size] = [6, 8, 4];
  const problem = randomProblem(7, 1, outputs, columns);
  const weight = Tensor.float32([outputs, columns], Float32Array.from(problem.weight));
  const model = parseModel(
    `<ir_version: 10, opset_import: ["" : 21]> f (float[N,8] x) => (float[N,6] y) <float[6,8] w> { y = Gemm <transB = 1> (x, w) }`,
    { seed: 1 },
  );
  model.graph.valuesByName().get("w")!.initializer = weight;
  const layer = matrixLayerAt([...model.graph.nodes][0]!)!;
  const grid = { kind: "int", bits: 3, signed: true } as const;
  const granularity: Granularity = { kind: "block", axis: 1, size, channelAxis: 0 };
  const entry: PlanEntry = { value: "w", kind: "weight", grid, granularity, symmetric: true, reason: "" };
  const spanning = encodeWeight(weight, { grid, granularity, symmetric: true }, "minmax");
  const given: Encoding = { ...spanning, scale: spanning.scale.map((s) => 8 * s) };
  const placed = { ...withEncoding(problem, layer, given), weight: Float64Array.from(weight.floats()) };
  await using errors = await RowErrors.open(await openRuntime(), 1);
  const { encoding } = await withSearchedScales(placed, layer, { spanning, given, entry }, errors);

  const costOf = (row: number, block: number, scale: number) => {
    const d = Array.from({ length: size }, (_, k) => {
      const w = placed.weight[row * columns + block * size + k]!;
      return scale * Math.min(3, Math.max(-4, roundHalfEven(w / scale))) - w;
    });
    const h = (i: number, j: number) => placed.h[(block * size + i) * columns + block * size + j]!;
    return d.reduce((sum, di, i) => sum + d.reduce((part, dj, j) => part + di * dj * h(i, j), 0), 0);
  };
  for (let row = 0; row < outputs; row++) {
    for (let block = 0; block < 2; block++) {
      const slice = row * 2 + block;
      const tried = Array.from({ length: 16 }, (_, i) => Math.fround(spanning.scale[slice]! * (0.7 + 0.025 * i)));
      const least = Math.min(...tried.map((scale) => costOf(row, block, scale)));
      // Errors are compared in float32.
      expect(costOf(row, block, encoding.scale[slice]!)).toBeLessThanOrEqual(least * (1 + 1e-4));
    }
  }
  expect(new Set(encoding.scale.map((s, i) => (s / spanning.scale[i]!).toFixed(3))).size).toBeGreaterThan(2);
});
