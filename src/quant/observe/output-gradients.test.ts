/** Slopes of outputs at values inside a model, against what a linear model has for slopes. */
import { describe, expect, test } from "vitest";
import { arrayData } from "../../../test/array-data.ts";
import { Random } from "../../base/inner.ts";
import type { Dataset } from "../../data/inner.ts";
import { type Model, parseModel } from "../../ir/inner.ts";
import { openRuntime } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { type OutputGradientOptions, outputGradients } from "./output-gradients.ts";

const runtime = await openRuntime();

/** y = v · h with h = a · x, two samples at once; z depends on nothing of it, s has no samples. */
function linear(opset = 21, v = "1, -2, 4"): Model {
  return parseModel(`
    <ir_version: 10, opset_import: ["": ${opset}]>
    g (float[2,2] x) => (float[2,1] y)
    <float[2,3] a = {1, 2, 3, 4, 5, 6}, float[3,1] v = {${v}}> {
      h = MatMul(x, a)
      s = Sin(v)
      z = Neg(h)
      y = MatMul(h, v)
    }`);
}

const x = Tensor.float32([7, 2], [1, 0, 0, 1, 2, 1, 5, 5, 1, 1, 0, 3, 9, 9]);

async function slopesOf(
  model: Model,
  names: readonly string[],
  options: Partial<OutputGradientOptions> = {},
  data: Dataset = arrayData({ x }),
) {
  const batches = outputGradients(model, names, runtime, data, {
    random: new Random(1),
    outputs: ({ graph }) => graph.outputs,
    fetch: (_, value, gradient) => [value, gradient],
    most: () => 1000,
    ...options,
  });
  const found: Record<string, number[][]>[] = [];
  for await (const batch of batches) {
    found.push(Object.fromEntries([...batch].map(([name, parts]) => [name, parts.map((part) => [...part.floats()])])));
  }
  return found;
}

describe("of a linear model", () => {
  test("slopes are its weights, by a sign of each sample, and the values are those of the samples", async () => {
    const found = await slopesOf(linear(), ["h", "z", "s"]);
    // The seventh sample fills no batch.
    expect(found.map((batch) => batch.h![0])).toEqual([
      [1, 2, 3, 4, 5, 6],
      [6, 9, 12, 25, 35, 45],
      [5, 7, 9, 12, 15, 18],
    ]);
    const signs = found
      .flatMap(({ h }) => [h![1]!.slice(0, 3), h![1]!.slice(3)])
      .map((row) => {
        expect(row.map((slope) => slope / row[0]!)).toEqual([1, -2, 4]);
        return row[0];
      });
    expect(new Set(signs)).toEqual(new Set([1, -1]));
    expect(Object.keys(found[0]!), "what the output does not depend on is left out").toEqual(["h"]);
  });

  test("of an older operator set as well", async () => {
    const old = parseModel(`
      <ir_version: 6, opset_import: ["": 11]>
      g (float[2,2] x) => (float[2] y) { h = Neg(x) y = ReduceSum <axes = [1], keepdims = 0> (h) }`);
    const [first] = await slopesOf(old, ["h"]);
    expect(first!.h![1]!.map(Math.abs)).toEqual([1, 1, 1, 1]);
  });

  test("each output counts beside its own size in the first batch, one of zeros as it is", async () => {
    const [y, , later] = await slopesOf(linear(), ["h"], { relative: true });
    // The first two samples give 1 − 4 + 12 = 9 and 4 − 10 + 24 = 18.
    const size = Math.sqrt((9 ** 2 + 18 ** 2) / 2);
    for (const batch of [y!, later!]) {
      [1, 2, 4, 1, 2, 4].forEach((weight, i) => {
        expect(Math.abs(batch.h![1]![i]!)).toBeCloseTo(weight / size, 6);
      });
    }
    const zeros = await slopesOf(linear(21, "0, 0, 0"), ["h"], { relative: true });
    expect(zeros[0]!.h![1]!.every((slope) => slope === 0)).toBe(true);
    const opposite = Tensor.float32([2, 2], [0, 0, 0, 0]);
    const [none] = await slopesOf(linear(), ["h"], { relative: true }, arrayData({ x: opposite }));
    expect(none!.h![1]!.slice(0, 3).map(Math.abs)).toEqual([1, 2, 4]);
  });

  test("values with no axis beside that of samples are left out", async () => {
    const scores = parseModel(`
      <ir_version: 10, opset_import: ["": 21]>
      g (float[2,2] x) => (float y) <int64[1] last = {1}> {
        h = Neg(x) r = ReduceSum <keepdims = 0> (h, last) t = ReduceSum <keepdims = 0> (r) y = Neg(t)
      }`);
    const [first] = await slopesOf(scores, ["h", "r", "t"]);
    expect(Object.keys(first!)).toEqual(["h"]);
  });

  test("values without gradients are none to run for", async () => {
    expect(await slopesOf(linear(), ["z"])).toEqual([]);
  });
});

describe("how many samples", () => {
  test("enough are as many as the numbers of one sample ask for, in whole batches", async () => {
    const told: number[] = [];
    const most = (numbers: number) => {
      told.push(numbers);
      return 3;
    };
    // h and z have three numbers each, s counts for no sample.
    expect(await slopesOf(linear(), ["h", "z", "s"], { most })).toHaveLength(2);
    expect(new Set(told)).toEqual(new Set([3 + 3 + 1.5]));
    expect(await slopesOf(linear(), ["h"], { most: () => 0 })).toEqual([]);
  });

  test("progress is told by samples, and an abort ends it", async () => {
    const done: number[] = [];
    await slopesOf(linear(), ["h"], { onProgress: (progress) => done.push(progress.done) });
    expect(done).toEqual([2, 4, 6]);
    const aborted = slopesOf(linear(), ["h"], { signal: AbortSignal.abort() });
    await expect(aborted).rejects.toThrow();
  });

  test("batches of another shape take no part", async () => {
    const free = parseModel(`
      <ir_version: 10, opset_import: ["": 21]>
      g (float[2,n] x, float[2] t) => (y) { h = Neg(x) s = ReduceSum(h) y = Mul(s, t) }`);
    const widths = [3, 2, 3];
    const data: Dataset = {
      count: 6,
      source: "widths of the test",
      axes: { x: 0, t: 0 },
      async *batches() {
        for (const [i, width] of widths.entries())
          yield {
            feeds: {
              x: Tensor.float32([2, width], new Float32Array(2 * width).fill(i)),
              t: Tensor.float32([2], [1, 1]),
            },
            first: 2 * i,
            size: 2,
          };
      },
    };
    const found = await slopesOf(free, ["h"], {}, data);
    expect(found.map(({ h }) => h![0]!.map(Math.abs))).toEqual([new Array(6).fill(0), new Array(6).fill(2)]);
  });
});
