/** What a report says of a value: the layer behind it, the noise that is its own, and which ranges clip. */
import { beforeAll, describe, expect, test } from "vitest";
import { seededFeeds } from "../../test/same-outputs.ts";
import { fromArray } from "../data/inner.ts";
import { type Model, parseModel } from "../ir/inner.ts";
import { encodingMax, encodingMin, entriesByValue } from "../quant/inner.ts";
import { openRuntime } from "../runtime/inner.ts";
import { clippingRanges, comparedValues, parseRecipe, type Quantized, quantizeModel } from "./inner.ts";
import { valueReports } from "./report-values.ts";

const text = `<ir_version: 10, opset_import: ["" : 21]>
  f (float[N,8,6,6] x) => (float[N,8,6,6] y) <float[8,8,1,1] w1, float[8,8,1,1] w2> {
    [first] a = Conv(x, w1)
    [act] b = Relu(a)
    [second] c = Conv(b, w2)
    [sum] y = Add(c, b) }`;
let model: Model;
let quantized: Quantized;

async function run(calibration: string): Promise<Quantized> {
  const x = seededFeeds(model, { dims: { N: 12 } }).x!;
  const data = fromArray("x", x.shape, x.floats());
  return quantizeModel(model, data, parseRecipe({ calibration, target: "aimet-default" }), await openRuntime());
}

beforeAll(async () => {
  model = parseModel(text, { seed: 3 });
  quantized = await run("percentile:90");
});

describe("values of a report", () => {
  test("the compared ones are those that are quantized, and the outputs, in order", () => {
    expect(comparedValues(quantized)).toEqual(["x", "b", "c", "y"]);
  });

  test("layer, and decibels lost since the noisiest compared value upstream", () => {
    const sqnr: Record<string, number> = { x: Number.POSITIVE_INFINITY, b: 30, c: 20, y: 18 };
    const reports = valueReports(quantized, Object.keys(sqnr).map((name) => ({ name, sqnr: sqnr[name]!, cosine: 1 })), new Map([["b", 0.1]])); // biome-ignore format: a call
    expect(reports.map(({ name, op, layer, fall }) => ({ name, op, layer, fall }))).toEqual([
      { name: "x", op: "input", layer: undefined, fall: null },
      { name: "b", op: "Relu", layer: "first", fall: null },
      { name: "c", op: "Conv", layer: "second", fall: 10 },
      { name: "y", op: "Add", layer: undefined, fall: 2 },
    ]);
    expect(reports[1]!.quantizer!.clipped).toBe(0.1);
    const histogram = reports[1]!.quantizer!.histogram!;
    expect(histogram.counts.reduce((a, b) => a + b, 0)).toBe(12 * 8 * 36);
  });

  test("ranges clip half a step beyond the grid, and only where numbers were", async () => {
    const entries = entriesByValue(quantized.plan);
    const ranges = clippingRanges(quantized);
    expect(ranges.map(({ value }) => value)).toContain("c");
    for (const { value, min, max } of ranges) {
      const encoding = entries.get(value)!.encoding!;
      expect(encodingMin(encoding) - min).toBeCloseTo(0.51 * encoding.scale[0]!, 9); // float64 of one product
      expect(max - encodingMax(encoding)).toBeCloseTo(0.51 * encoding.scale[0]!, 9);
      // What rounds to one step beyond the grid is a tie, and as near as what is inside: it is not clipped, in float32 either.
      expect(Math.fround(encodingMax(encoding) + encoding.scale[0]! / 2)).toBeLessThan(Math.fround(max));
      expect(Math.fround(encodingMin(encoding) - encoding.scale[0]! / 2)).toBeGreaterThan(Math.fround(min));
    }
    expect(clippingRanges(await run("minmax"))).toEqual([]);
  });

  test("the given model is not changed", async () => {
    const before = JSON.stringify([...model.graph.nodes].map(String));
    await run("sqnr");
    expect(JSON.stringify([...model.graph.nodes].map(String))).toBe(before);
  });
});
