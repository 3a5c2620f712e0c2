/** Ranges without data: what preprocessing and batch norms give, and what cannot be derived. */
import { expect, test } from "vitest";
import { AvocetError } from "../../base/inner.ts";
import { parsePreprocess } from "../../data/inner-files.ts";
import { type Model, parseModel, tensorType } from "../../ir/inner.ts";
import { setBatchNormStatistics } from "../../passes/inner.ts";
import { builtinTarget, encodingMax, encodingMin, entriesByValue, lower, type Plan, place } from "../../quant/inner.ts";
import { dataFreeRanges } from "./apply.ts";
import { imageInput, inputExpectation } from "./inputs.ts";

const model = (text: string) => parseModel(`<ir_version: 8, opset_import: ["": 21]> ${text}`);
const shapes = (names: Readonly<Record<string, readonly number[]>>) =>
  new Map(Object.entries(names).map(([name, shape]) => [name, tensorType("float32", shape)]));

test("pixels after preprocessing", () => {
  const { low, high, mean, deviation, axis } = imageInput(
    parsePreprocess({ color: "bgr", scale: "1/255", mean: [0.4, 0.5, 0.6], std: [0.2, 0.25, 0.5], layout: "nhwc" }),
  );
  expect(low).toEqual([-0.4 / 0.2, -0.5 / 0.25, -0.6 / 0.5]);
  expect(high).toEqual([(1 - 0.4) / 0.2, (1 - 0.5) / 0.25, (1 - 0.6) / 0.5]);
  // ImageNet's blue is 103.5, and comes first here.
  expect((mean as number[])[0]).toBeCloseTo((103.5 / 255 - 0.4) / 0.2, 12);
  expect((deviation as number[])[2]).toBeCloseTo(58.4 / 255 / 0.5, 12);
  expect(axis).toBe(3);
});

test("a negative gain turns the range around", () => {
  const { low, high } = imageInput(parsePreprocess({ color: "gray", gain: -1 }));
  expect([low, high]).toEqual([[-255], [0]]);
});

test("an input's range must be finite and not empty", () => {
  expect(() => inputExpectation({ low: 1, high: 0 })).toThrow("expected a range of finite numbers, got 1 … 0");
});

/** Two convolutions with batch norms, a residual addition, and a classifier without. */
function residual(): { float: Model; plan: Plan; types: ReturnType<typeof shapes> } {
  const float = model(`g (float[1,2,4,4] x) => (float[1,2] y)
    <float[2,2,1,1] w = {1, 0.5, -0.5, 1}, float[2,2,1,1] v = {1, 0.25, -1, 1}, float[2,2] m = {1, 0, 0, 1}>
    { a = Conv (x, w) r = Relu (a) b = Conv (r, v) s = Add (r, b) t = Relu (s) p = GlobalAveragePool (t)
      f = Flatten (p) y = MatMul (f, m) }`);
  const values = float.graph.valuesByName();
  setBatchNormStatistics(values.get("a")!, { beta: [1, -1], gamma: [0.5, 2] });
  setBatchNormStatistics(values.get("b")!, { beta: [0, 0.5], gamma: [1, -0.25] });
  const four = [1, 2, 4, 4];
  const types = shapes({ x: four, a: four, r: four, b: four, s: four, t: four, p: [1, 2, 1, 1], f: [1, 2], y: [1, 2] });
  return { float, plan: place(float, builtinTarget("aimet-default"), { shapes: types }), types };
}

test("ranges are β ± k·γ behind activations, and sums in quadrature", () => {
  const { float, plan, types } = residual();
  const inputs = new Map([["x", inputExpectation({ low: -1, high: 1 })]]);
  const { plan: filled, report } = dataFreeRanges(float, plan, { shapes: types, inputs, deviations: 6 });
  const entries = entriesByValue(filled);
  const range = (name: string) => [
    encodingMin(entries.get(name)!.encoding!),
    encodingMax(entries.get(name)!.encoding!),
  ];
  const near = (name: string, low: number, high: number) => {
    const [from, to] = range(name);
    // The grid moves the ends by at most one step, to let zero be on it.
    const step = (high - low) / 255;
    expect(Math.abs(from! - low)).toBeLessThanOrEqual(step);
    expect(Math.abs(to! - high)).toBeLessThanOrEqual(step);
  };
  near("x", -1, 1);
  // Relu of 1 ± 3 and −1 ± 12.
  near("r", 0, 11);
  near("b", -6, 6);
  expect(range("t")[1]!).toBeGreaterThan(11);
  expect(range("t")[1]!).toBeLessThan(11 + 6);
  expect(report.notes.some((note) => note.startsWith("x: its range is what is known of the model's input"))).toBe(true);
  expect(filled.entries.filter((entry) => entry.kind !== "bias").every((entry) => entry.encoding)).toBe(true);
  lower(float, filled);
});

test("what cannot be derived is listed, each with its reason, or stays in float", () => {
  const float = model(
    `g (float[1,2,4,4] x) => (float[1,2,4,4] y) <float[2,2,1,1] w = {1, 0.5, -0.5, 1}, float[2,2,1,1] v = {1, 0, 0, 1}>
    { a = Conv (x, w) r = Relu (a) n = CumSum (r, i) y = Conv (n, v) }`
      .replace("(r, i)", "(r, k)")
      .replace("<float[2,2,1,1] w", "<int64 k = {1}, float[2,2,1,1] w"),
  );
  setBatchNormStatistics(float.graph.valuesByName().get("a")!, { beta: [0, 0], gamma: [1, 1] });
  const four = [1, 2, 4, 4];
  const types = shapes({ x: four, a: four, r: four, n: four, y: four });
  const plan = place(float, builtinTarget("aimet-default"), { shapes: types });
  const failed = (() => {
    try {
      return dataFreeRanges(float, plan, { shapes: types });
    } catch (error) {
      return error;
    }
  })();
  expect(AvocetError.is(failed) && failed.code).toBe("quant/not-calibrated");
  expect((failed as Error).message).toBe(
    "expected a range for every activation, 3 cannot be derived without data:\n" +
      "  x: it is an input of the model, and its range was not given\n" +
      "  n: nothing is known of what CumSum gives\n" +
      "  y: it depends on n: nothing is known of what CumSum gives",
  );
  const { plan: filled } = dataFreeRanges(float, plan, { shapes: types, unknown: "float" });
  expect(filled.entries.map((entry) => entry.value)).toEqual(["w", "r", "v"]);
  expect(filled.notQuantized.slice(-3)).toEqual([
    { value: "x", reason: "it is an input of the model, and its range was not given" },
    { value: "n", reason: "nothing is known of what CumSum gives" },
    { value: "y", reason: "it depends on n: nothing is known of what CumSum gives" },
  ]);
  lower(float, filled);
});

test("a scheme may choose ranges from the promised distributions", () => {
  const { float, plan, types } = residual();
  const inputs = new Map([["x", inputExpectation({ low: -1, high: 1 })]]);
  const { plan: filled } = dataFreeRanges(float, plan, { shapes: types, inputs, ranges: "minmax" });
  const r = entriesByValue(filled).get("r")!.encoding!;
  // The quantiles that a scheme sees reach 3.5 deviations: −1 + 3.49 · 2.
  expect(encodingMax(r)).toBeGreaterThan(5.8);
  expect(encodingMax(r)).toBeLessThan(6.2);
});
