/** Similarity and clipping of values against plain float64 loops over everything that flows. */
import { describe, expect, test } from "vitest";
import { Random } from "../base/inner.ts";
import { fromArray } from "../data/inner.ts";
import { parseModel } from "../ir/inner.ts";
import { openRuntime } from "../runtime/inner.ts";
import { clippedShares, compareValues, latencies, macsOf, median, parametersOf, sampleSqnrs } from "./inner.ts";

const text = (scale: string) => `<ir_version: 10, opset_import: ["" : 21]>
  f (float[N,4] x) => (float[N,4] y) <float s = {${scale}}> { h = Mul(x, s)
    y = Tanh(h) }`;
const random = new Random(3);
const x = Float32Array.from({ length: 40 }, () => random.normal());
const data = fromArray("x", [10, 4], x);

describe("similarity", () => {
  test("is SQNR and cosine over all samples, as float64 loops give them", async () => {
    const [reference, other] = [parseModel(text("1.0")), parseModel(text("0.9"))];
    const pairs = ["h", "y"].map((name) => ({ reference: name, other: name }));
    const found = await compareValues(reference, other, pairs, await openRuntime(), data, { batch: 3 });
    const expected = [(v: number) => [v, 0.9 * v], (v: number) => [Math.tanh(v), Math.tanh(0.9 * v)]];
    for (const [i, pair] of expected.entries()) {
      let [xx, yy, xy, dd] = [0, 0, 0, 0];
      for (const v of x) {
        const [a = 0, b = 0] = pair(v);
        xx += a * a;
        yy += b * b;
        xy += a * b;
        dd += (a - b) ** 2;
      }
      expect(found[i]!.sqnr).toBeCloseTo(10 * Math.log10(xx / dd), 3); // squares and their sums are float32 in the graph
      expect(found[i]!.cosine).toBeCloseTo(xy / Math.sqrt(xx * yy), 6);
    }
  });

  test("sample by sample it is the lowest SQNR of the pairs", async () => {
    const [reference, other] = [parseModel(text("1.0")), parseModel(text("0.9"))];
    const pairs = ["h", "y"].map((name) => ({ reference: name, other: name }));
    const found = await sampleSqnrs(reference, other, pairs, await openRuntime(), data);
    const expected = Array.from({ length: 10 }, (_, n) => {
      const row = Array.from(x.subarray(4 * n, 4 * n + 4));
      const of = (f: (v: number) => number, g: (v: number) => number) =>
        10 * Math.log10(row.reduce((s, v) => s + f(v) ** 2, 0) / row.reduce((s, v) => s + (f(v) - g(v)) ** 2, 0));
      return Math.min(of((v) => v, (v) => 0.9 * v), of(Math.tanh, (v) => Math.tanh(0.9 * v))); // biome-ignore format: pairs
    });
    expect(found).toHaveLength(10);
    found.forEach((sqnr, n) => {
      expect(sqnr).toBeCloseTo(expected[n]!, 3); // squares and their sums are float32 in the graph
    });
  });

  test("equal values are exact, also where all are zero", async () => {
    const model = parseModel(text("0.0"));
    const [h] = await compareValues(
      model,
      parseModel(text("0.0")),
      [{ reference: "h", other: "h" }],
      await openRuntime(),
      data,
    );
    expect(h).toEqual({ name: "h", sqnr: Number.POSITIVE_INFINITY, cosine: 1 });
  });

  test("models of other inputs, and values that are not there, are refused", async () => {
    const runtime = await openRuntime();
    const model = parseModel(text("1.0"));
    const renamed = parseModel(text("1.0").replaceAll(/\bx\b/g, "z"));
    const pair = [{ reference: "h", other: "h" }];
    await expect(compareValues(model, renamed, pair, runtime, data)).rejects.toThrow(/the input z/);
    await expect(compareValues(model, model, [{ reference: "q", other: "h" }], runtime, data)).rejects.toThrow(/got q/);
  });
});

test("of two opsets the older one is raised, whichever it is; both models stay as they are", async () => {
  const runtime = await openRuntime();
  const [model, older] = [parseModel(text("1.0")), parseModel(text("0.5").replace("21", "17"))];
  const newer = parseModel(text("0.5").replace("21", "25"));
  const pair = [{ reference: "h", other: "h" }];
  const expected = await compareValues(model, parseModel(text("0.5")), pair, runtime, data);
  for (const other of [older, newer]) {
    const { opset } = other;
    expect(await compareValues(model, other, pair, runtime, data)).toEqual(expected);
    expect([model.opset, other.opset]).toEqual([21, opset]);
  }
});

describe("clipping", () => {
  test("counts exactly the numbers outside each range", async () => {
    const ranges = [
      { value: "x", min: -0.5, max: 1 },
      { value: "h", min: -100, max: 100 },
      { value: "nowhere", min: 0, max: 1 },
    ];
    const found = await clippedShares(parseModel(text("2.0")), ranges, await openRuntime(), data, { batch: 4 });
    const outside = x.filter((v) => v < -0.5 || v > 1).length;
    expect([...found]).toEqual([
      ["x", outside / 40],
      ["h", 0],
    ]);
  });

  test("no range asks for nothing", async () => {
    expect(await clippedShares(parseModel(text("1.0")), [], await openRuntime(), data)).toEqual(new Map());
  });
});

describe("cost and latency", () => {
  const model = parseModel(
    `f (float[1,3,8,8] x) => (float[1,4,8,8] y) <float[4,3,3,3] w, float[4] b> {
    y = Conv <pads = [1,1,1,1]> (x, w, b) }`,
    { seed: 1 },
  );
  test("a convolution costs outputs × kernel × input channels", () => {
    expect(macsOf(model, new Map())).toBe(4 * 8 * 8 * 3 * 9);
    expect(parametersOf(model)).toBe(4 * 3 * 9 + 4);
  });

  test("unknown shapes are said to be unknown", () => {
    const open = parseModel("f (float[N,3] x) => (float[N,2] y) <float[3,2] w> { y = MatMul(x, w) }", { seed: 1 });
    expect(macsOf(open, new Map())).toBeNull();
  });

  test("medians, and a time for every session", async () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([2, 2.5]);
    await using session = await (await openRuntime()).open(parseModel(text("1.0")));
    for await (const { feeds } of data.batches(1)) {
      const times = await latencies([session, session], feeds, { runs: 3 });
      expect(times.every((ms) => ms > 0 && ms < 1000)).toBe(true);
      break;
    }
  });
});
