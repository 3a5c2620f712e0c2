/** The search for scales and, where a grid need not be symmetric, offsets: never worse than what it starts from. */
import { expect, test } from "vitest";
import { Random, roundHalfEven } from "../base/index.ts";
import { parseModel } from "../ir/index.ts";
import { type IntGrid, linearLayers, type Moments, type PlanEntry } from "../quant/index.ts";
import { openRuntime } from "../runtime/index.ts";
import { Tensor } from "../tensor/index.ts";
import { nearest, objective, roundingProblem, weightMatrix } from "./rounding-problem.ts";
import { RowErrors } from "./row-errors.ts";
import { spanningEncoding, withBestScales } from "./scale-search.ts";

const runtime = await openRuntime("ort-node");
const [rows, columns] = [6, 24];

/** A layer with an outlier on one side of its weights, which hardly any signal reaches: a window should leave that out. */
function leaning(seed: number) {
  const random = new Random(seed);
  const model = parseModel(
    `f (float[N,${columns}] x) => (float[N,${rows}] y) <float[${rows},${columns}] w> { y = Gemm <transB = 1> (x, w) }`,
    { seed },
  );
  const [layer] = linearLayers(model);
  layer!.weight.initializer = Tensor.float32(
    [rows, columns],
    Float32Array.from({ length: rows * columns }, (_, i) => (i % columns === 0 ? 3 : 0.6 * random.normal())),
  );
  const h = new Float64Array(columns * columns);
  for (let i = 0; i < columns; i++) h[i * columns + i] = i === 0 ? 0.02 : random.uniform(0.5, 2);
  const zeros = new Float64Array(columns);
  const moments: Moments = { groups: 1, columns, h, r: new Float64Array(h.length), mean: zeros, quantizedMean: zeros, rows: 1, samplingError: 0 }; // biome-ignore format: a record
  return { layer: layer!, moments };
}

const grid: IntGrid = { kind: "int", bits: 4, signed: false };
const entry = (symmetric: boolean): PlanEntry => ({ value: "w", kind: "weight", grid: { ...grid, signed: symmetric }, granularity: { kind: "channel", axis: 0 }, symmetric, reason: "" }); // biome-ignore format: a record

async function searched(seed: number, symmetric: boolean, shifts: boolean) {
  const { layer, moments } = leaning(seed);
  await using errors = await RowErrors.open(runtime, 1);
  const spanning = spanningEncoding(layer, entry(symmetric));
  const problem = roundingProblem(layer, weightMatrix(layer), spanning, moments);
  const given = { spanning, given: spanning, entry: { ...entry(symmetric), symmetric: !shifts } };
  const { problem: found, encoding } = await withBestScales(problem, layer, given, errors);
  const error = (of: typeof problem) => objective(of, nearest(of, roundHalfEven)).reduce((a, b) => a + b, 0);
  return { encoding, spanning, error: error(found), before: error(problem) };
}

test("windows that move find less error than those that only shrink", async () => {
  let [moved, better] = [0, 0];
  for (const seed of [1, 2, 3, 4]) {
    const still = await searched(seed, false, false);
    const free = await searched(seed, false, true);
    expect(still.error).toBeLessThanOrEqual(still.before);
    expect(free.error).toBeLessThanOrEqual(still.error);
    if (free.error < 0.97 * still.error) better++;
    for (const [i, offset] of free.encoding.offset.entries()) {
      expect(offset >= -15 && offset <= 0 && Number.isInteger(offset)).toBe(true);
      if (offset !== still.encoding.offset[i]) moved++;
    }
  }
  expect(moved).toBeGreaterThan(4);
  expect(better).toBeGreaterThan(1);
});

test("a symmetric grid stays symmetric", async () => {
  const { encoding, spanning, error, before } = await searched(1, true, false);
  expect(encoding.offset).toEqual(spanning.offset);
  expect(error).toBeLessThan(before);
});
