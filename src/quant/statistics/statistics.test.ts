/** Statistics of a float model: written, read, and ranges from them are those of a calibration that sees the same numbers. */
import { describe, expect, test } from "vitest";
import { Random } from "../../base/inner.ts";
import { fromArray } from "../../data/inner.ts";
import { parseModel } from "../../ir/inner.ts";
import { openRuntime, traceShapes } from "../../runtime/inner.ts";
import {
  builtinTarget,
  calibrate,
  encodeObserved,
  GrowingHistogram,
  gatherStatistics,
  observersOf,
  place,
  type Scheme,
  type Statistics,
  statisticsToJson,
} from "../inner.ts";
import { readStatistics } from "../inner-files.ts";

const runtime = await openRuntime();
const model = parseModel(
  `<ir_version: 8, opset_import: ["" : 21]> net (float[N,8,6,6] x) => (float[N,16,6,6] y) <float[16,8,3,3] w, float[16] b, float[16,16,1,1] v> {
    c = Conv <pads = [1,1,1,1]> (x, w, b) r = Relu(c) d = Conv(r, v) y = Add(d, r) }`,
  { seed: 3 },
);
const random = new Random(5);
const numbers = Float32Array.from({ length: 12 * 288 }, () => random.normal() * Math.exp(random.normal() / 2));
const data = fromArray("x", [12, 8, 6, 6], numbers);
const shapes = await traceShapes(model, runtime, { x: (await first()).x! });
const statistics = await gatherStatistics(model, shapes, runtime, data);

async function first() {
  for await (const { feeds } of data.batches(1)) return feeds;
  throw new Error("no data");
}

test("a file holds what was seen, and reads as it was written", () => {
  expect(Object.keys(statistics.values)).toEqual(["x", "c", "r", "d", "y"]);
  expect(statistics.samples).toBe(12);
  expect(statistics.values.x).toMatchObject({ min: Math.min(...numbers), max: Math.max(...numbers), count: 12 * 288 });
  expect(readStatistics(statisticsToJson(statistics))).toEqual(statistics);
});

describe("ranges", () => {
  const target = builtinTarget("aimet-default");
  test.each<Scheme>(["minmax", "percentile:99.9", "mse", "entropy"])(
    "of %s are those of calibration",
    async (scheme) => {
      const placed = place(model, target, { shapes });
      const options = { scheme, floatWeights: true, shapes };
      const { plan } = await calibrate(model, placed, runtime, data, options);
      const again = encodeObserved(model, placed, observersOf(statistics, placed, scheme), scheme, shapes);
      expect(again).toEqual(plan);
    },
  );

  test("need a histogram, unless they are ends", () => {
    const { x, ...others } = statistics.values;
    const { histogram: _, ...ends } = x!;
    const bare: Statistics = { ...statistics, values: { ...others, x: ends } };
    const placed = place(model, target, { shapes });
    expect(observersOf(bare, placed, "minmax").get("x")!.statistics()).toMatchObject(ends);
    expect(() => observersOf(bare, placed, "sqnr")).toThrow(/expected a histogram of x for sqnr, got its ends alone/);
    expect(() => observersOf(statistics, placed, "tf_enhanced")).toThrow(/tf_enhanced/);
    expect(observersOf({ ...bare, values: others }, placed, "sqnr").has("x")).toBe(false);
  });
});

test("histograms that are joined are the histogram of both", () => {
  const [a, b, both] = [new GrowingHistogram(), new GrowingHistogram(), new GrowingHistogram()];
  const [some, more] = [numbers.subarray(0, 1000), numbers.subarray(1000).map((x) => 7 * x - 3)];
  a.see(some);
  b.see(more);
  both.see(some);
  both.see(more);
  const joined = new GrowingHistogram();
  joined.absorb(a.kept());
  joined.absorb(b.kept());
  expect(joined.kept()).toEqual(both.kept());
});

describe("a file with faults is refused, all of them at once", () => {
  const good = { version: 1, samples: 2, values: { x: { min: -1, max: 1, count: 4, histogram: { exponent: -1, origin: -2, counts: [1, 1, 1, 1], zeros: 0 } } } }; // biome-ignore format: one file
  const faulty = (change: object, histogram: object = {}) =>
    JSON.stringify({ ...good, values: { x: { ...good.values.x, histogram: { ...good.values.x.histogram, ...histogram }, ...change } } }); // biome-ignore format: one file
  test("the good one is none", () => expect(readStatistics(JSON.stringify(good))).toEqual(good));
  test.each<[string, string, RegExp]>([
    ["no JSON", "{", /JSON/],
    ["another version", JSON.stringify({ ...good, version: 2 }), /version/],
    ["no values", JSON.stringify({ ...good, values: {} }), /expected values, got none/],
    ["ends that are crossed", faulty({ min: 3 }), /expected min ≤ max/],
    ["not a number", faulty({ max: null }), /max/],
    ["counts that do not add up", faulty({ count: 5 }), /expected counts that add up to 5, got 4/],
    ["negative counts", faulty({}, { counts: [5, -1] }), /counts/],
    ["too many bins", faulty({}, { counts: new Array(2049).fill(0) }), /counts/],
    ["bins of no width", faulty({}, { exponent: -4000 }), /exponent/],
    ["bins elsewhere", faulty({}, { origin: 90 }), /expected bins between -1 and 1/],
    ["more zeros than numbers", faulty({}, { zeros: 9 }), /expected at most 4 zeros/],
    ["keys that nobody knows", faulty({ mean: 0 }), /mean/],
  ])("%s", (_, text, message) => {
    const read = () => readStatistics(text, "s.json");
    expect(read).toThrow(message);
    expect(read).toThrowError(expect.objectContaining({ code: "quant/invalid-statistics" }));
  });
});
