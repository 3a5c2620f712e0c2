/** Bias correction on models: means come back exactly, plans stay those of placement, and what cannot be done is said. */
import { describe, expect, test } from "vitest";
import { AvocetError, Random } from "../../base/inner.ts";
import { fromTensors } from "../../data/inner.ts";
import { type Model, parseModel } from "../../ir/inner.ts";
import { setBatchNormStatistics } from "../../passes/inner.ts";
import { builtinTarget, calibrate, lower, type Plan, parseGrid, place } from "../../quant/inner.ts";
import { firstSample, openRuntime, openTaps, traceShapes } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { applyGptq } from "../gptq/apply.ts";
import { correctBiases } from "./apply.ts";

const runtime = await openRuntime("ort-node");
const target = builtinTarget("aimet-default-per-tensor");
const random = new Random(3);
const numbers = (count: number, size = 1) =>
  Array.from({ length: count }, () => (size * (2 * random.uniform() - 1)).toFixed(3)).join(", ");
const model = (text: string) => parseModel(`<ir_version: 8, opset_import: ["": 21]> ${text}`);

/** Two padded convolutions, the second strided and grouped, then a product. */
const net = () =>
  model(`g (float[N,3,9,8] x) => (float[N,5] y)
  <float[4,3,3,3] v = {${numbers(108)}}, float[4] b = {${numbers(4)}}, float[6,2,3,3] w = {${numbers(108)}}, float[6,5] m = {${numbers(30)}}>
  { c1 = Conv <pads = [1, 1, 1, 1]> (x, v, b) r1 = Relu (c1)
    c2 = Conv <group = 2, strides = [2, 2], pads = [1, 0, 0, 1]> (r1, w) r2 = Relu (c2)
    p = GlobalAveragePool (r2) f = Flatten (p) y = MatMul (f, m) }`);

const shape = [3, 9, 8];
const data = fromTensors({
  x: Tensor.float32(
    [24, ...shape],
    Float32Array.from({ length: 24 * 216 }, () => random.uniform() + 0.2),
  ),
});

async function planned(float: Model, bits: "int4" | "int8" = "int4", on = target): Promise<Plan> {
  const shapes = await traceShapes(float, runtime, await firstSample(data));
  const placed = place(float, on, { shapes, weights: parseGrid(bits) });
  return (await calibrate(float, placed, runtime, data, { shapes })).plan;
}

/** Mean of a value per channel (axis 1), over all samples, in float64. */
async function channelMeans(of: Model, name: string): Promise<number[]> {
  await using taps = await openTaps(of, runtime, { values: [name], session: { fuseQdq: false } });
  const sums: number[] = [];
  let count = 0;
  for await (const { values } of taps.stream(data)) {
    const { shape, floats } = { shape: values[name]!.shape, floats: values[name]!.floats() };
    const [channels, each] = [shape[1]!, floats.length / shape[0]! / shape[1]!];
    floats.forEach((value, i) => {
      const c = Math.floor(i / each) % channels;
      sums[c] = (sums[c] ?? 0) + value;
    });
    count += shape[0]! * each;
  }
  return sums.map((sum) => sum / count);
}

/** Half a step of the accumulator, onto which the file rounds the bias of a convolution between quantized input and weight. */
function halfStep(plan: Plan, layer: string): number {
  const { input, weight } = { c1: { input: "x", weight: "v" }, c2: { input: "r1", weight: "w" } }[layer]!;
  const scaleOf = (value: string) => plan.entries.find((entry) => entry.value === value)?.encoding?.scale;
  const [x, w] = [scaleOf(input), scaleOf(weight)];
  return x && w ? (x[0]! * Math.max(...w)) / 2 : 0;
}

/** The largest sum of magnitudes over the weights of one output. */
function reach(float: Model, weight: string): number {
  const tensor = float.graph.valuesByName().get(weight)!.initializer!;
  const rows = tensor.shape[0]!;
  const numbers = tensor.floats();
  const each = numbers.length / rows;
  return Math.max(...Array.from({ length: rows }, (_, row) => sumOf(numbers.subarray(row * each, (row + 1) * each))));
}

const sumOf = (numbers: Float32Array) => numbers.reduce((sum, x) => sum + Math.abs(x), 0);

describe("empirical", () => {
  test.each([true, false])(
    "every layer has the float model's mean again (activation quantizers: %s)",
    async (activations) => {
      const float = net();
      const plan = await planned(float);
      const judged = activations ? plan : { ...plan, entries: plan.entries.filter((entry) => entry.kind === "weight") };
      const { model: corrected, report } = await correctBiases(float, plan, { runtime, data, target }, { activations });
      expect(report.edits).toBe(3);
      const before = lower(float, judged).model;
      const after = lower(corrected, judged).model;
      // What rounding the bias of c1 leaves goes on into c2, through at most the largest sum of its weights' magnitudes.
      let left = 0;
      for (const name of ["c1", "c2"]) {
        const wanted = await channelMeans(float, name);
        const [was, is] = [await channelMeans(before, name), await channelMeans(after, name)];
        const worst = (found: number[]) => Math.max(...found.map((value, c) => Math.abs(value - wanted[c]!)));
        expect(worst(was)).toBeGreaterThan(1e-3);
        // Float32 sums of the runtime, and the bias rounded to float32 and to its grid once.
        expect(worst(is)).toBeLessThan(2e-6 + halfStep(judged, name) + left);
        left = worst(is) * reach(float, "w");
        expect(worst(was)).toBeGreaterThan(5 * worst(is));
      }
    },
  );

  test("behind a method that took shifts back itself, they are not taken back twice", async () => {
    const float = net();
    const plan = await planned(float);
    const context = { runtime, data, target, calibration: "minmax" as const, seed: 0 };
    const rounded = await applyGptq(float, plan, context);
    const { model: corrected } = await correctBiases(rounded.model, rounded.plan, context, { reference: float });
    const after = lower(corrected, rounded.plan).model;
    for (const name of ["c1", "c2"]) {
      const [wanted, found] = [await channelMeans(float, name), await channelMeans(after, name)];
      // Float32 sums of the runtime, and the bias rounded to float32 and to its grid once.
      const most = 2e-6 + halfStep(rounded.plan, name);
      for (const [c, mean] of found.entries()) expect(Math.abs(mean - wanted[c]!)).toBeLessThan(most);
    }
    // A second time there is nothing left but last bits.
    const again = await correctBiases(corrected, rounded.plan, context, { reference: float });
    for (const note of again.report.notes) {
      const moved = /moved by up to ([\d.e-]+)$/.exec(note);
      if (moved) expect(Number(moved[1])).toBeLessThan(1e-6);
    }
  });

  test("the model that is given stays, and only biases change", async () => {
    const float = net();
    const plan = await planned(float);
    const { model: corrected, plan: next } = await correctBiases(float, plan, { runtime, data, target });
    const [old, made] = [float.graph.valuesByName(), corrected.graph.valuesByName()];
    for (const name of ["v", "w", "m"]) expect(made.get(name)!.initializer).toBe(old.get(name)!.initializer);
    expect(old.get("b")!.initializer).not.toBe(made.get("b")!.initializer);
    // The MatMul got an Add that took over its name, so that the plan's values are still there.
    expect(made.get("y")!.producer!.op).toBe("Add");
    expect(next.entries).toEqual(plan.entries);
    expect(next.notQuantized.slice(plan.notQuantized.length).map((one) => one.reason)).toEqual([
      "the target keeps biases in float",
      "the target keeps biases in float",
    ]);
  });

  test("new biases have the entries that placement and calibration give", async () => {
    const on = builtinTarget("ort-cpu");
    const float = model(`g (float[N,3,9,8] x) => (float[N,5,9,8] y)
      <float[4,3,1,1] v = {${numbers(12)}}, float[4] b = {${numbers(4)}}, float[4,4,3,3] w = {${numbers(144)}}, float[5,4,3,3] u = {${numbers(180)}}>
      { a = Relu (x) c = Conv (a, v, b) r = Relu (c) d = Conv <pads = [1, 1, 1, 1]> (r, w) s = Relu (d) y = Conv <pads = [1, 1, 1, 1]> (s, u) }`);
    const plan = await planned(float, "int8", on);
    const result = await correctBiases(float, plan, { runtime, data, target: on });
    const again = await planned(result.model, "int8", on);
    const biases = (of: Plan) =>
      of.entries.filter((entry) => entry.kind === "bias").map(({ encoding: _, ...rest }) => rest);
    expect(biases(result.plan).length).toBeGreaterThanOrEqual(2);
    expect(biases(result.plan)).toEqual(biases(again));
    for (const entry of result.plan.entries) if (entry.kind === "bias") expect(entry.encoding).toBeDefined();
    lower(result.model, result.plan);
  });

  test("without data it says so", async () => {
    const float = net();
    const plan = await planned(float);
    const error = await correctBiases(float, plan, { runtime }, { kind: "empirical" }).catch((e: unknown) => e);
    expect(AvocetError.is(error) && error.code).toBe("data/none");
  });
});

describe("in one pass", () => {
  const biasesOf = (of: Model) => {
    const slots = of.graph.valuesByName();
    const bias = (name: string, index: number) => [...slots.get(name)!.producer!.input(index)!.initializer!.floats()];
    return [...bias("c1", 2), ...bias("c2", 2), ...bias("y", 1)];
  };

  test("with all data in one batch the biases are those of the walk, and no more passes are made", async () => {
    const float = net();
    const plan = await planned(float);
    const context = { runtime, data, target };
    const walked = await correctBiases(float, plan, { ...context, batch: 24 });
    const once = await correctBiases(float, plan, { ...context, batch: 24 }, { kind: "one-pass" });
    expect(once.report.edits).toBe(3);
    expect(once.plan).toEqual(walked.plan);
    const [a, b] = [biasesOf(walked.model), biasesOf(once.model)];
    // The walk rounds the bias of a layer onto its grid in the file before the next layer reads it; float32 sums besides.
    const most = 2e-5 + halfStep(plan, "c1") * reach(float, "w");
    a.forEach((bias, i) => {
      expect(Math.abs(b[i]! - bias)).toBeLessThan(most);
    });
  });

  test("batches that correct themselves agree with the walk to a tenth of the shift", async () => {
    const float = net();
    const plan = await planned(float);
    const before = lower(float, plan).model;
    const { model: corrected } = await correctBiases(
      float,
      plan,
      { runtime, data, target, batch: 5 },
      { kind: "one-pass" },
    );
    const after = lower(corrected, plan).model;
    for (const name of ["c1", "c2", "y"]) {
      const wanted = await channelMeans(float, name);
      const worst = async (of: Model) =>
        Math.max(...(await channelMeans(of, name)).map((value, c) => Math.abs(value - wanted[c]!)));
      expect(await worst(after)).toBeLessThan(0.1 * (await worst(before)));
    }
  });

  test("of a Gemm whose bias counts twice, and of rows with several axes", async () => {
    const float = model(`g (float[N,3,9,8] x) => (float[N,3,9,4] y, float[N,5] z)
      <float[8,4] m = {${numbers(32)}}, float[3,5] v = {${numbers(15)}}, float[5] b = {${numbers(5)}}>
      { y = MatMul (x, m) p = GlobalAveragePool (x) f = Flatten (p) z = Gemm <beta = 2.0> (f, v, b) }`);
    const plan = await planned(float);
    const { model: corrected, report } = await correctBiases(
      float,
      plan,
      { runtime, data, target },
      { kind: "one-pass" },
    );
    expect(report.edits).toBe(2);
    const [before, after] = [lower(float, plan).model, lower(corrected, plan).model];
    const wanted = await channelMeans(float, "z");
    const worst = async (of: Model) =>
      Math.max(...(await channelMeans(of, "z")).map((value, c) => Math.abs(value - wanted[c]!)));
    expect(await worst(after)).toBeLessThan(0.02 * (await worst(before)) + 2e-6);
  });

  test("without data it says so", async () => {
    const float = net();
    const error = await correctBiases(float, await planned(float), { runtime }, { kind: "one-pass" }).catch(
      (e: unknown) => e,
    );
    expect(AvocetError.is(error) && error.code).toBe("data/none");
  });
});

describe("analytic", () => {
  /** A 1×1 convolution with a batch norm, a ReLU, and the layer that is corrected. */
  const chain = () => {
    const made = model(`g (float[N,3,9,8] x) => (float[N,2,9,8] y)
      <float[3,3,1,1] v = {1, 0, 0, 0, 1, 0, 0, 0, 1}, float[2,3,3,3] w = {${numbers(54)}}>
      { c = Conv (x, v) r = Relu (c) y = Conv <pads = [1, 1, 1, 1]> (r, w) }`);
    // What the data is, exactly: uniform numbers are no normal ones, but a ReLU that clips nothing keeps their mean.
    setBatchNormStatistics(made.graph.valuesByName().get("c")!, { beta: [0.7, 0.7, 0.7], gamma: [0.05, 0.05, 0.05] });
    return made;
  };

  test("takes back what the statistics promise, borders included", async () => {
    const float = chain();
    const plan = await planned(float);
    const weights = { ...plan, entries: plan.entries.filter((entry) => entry.kind === "weight") };
    const analytic = await correctBiases(float, plan, { runtime, target });
    expect(analytic.report.notes.some((note) => note.startsWith("Conv") && note.includes("batch norm"))).toBe(true);
    const only = { ...weights, entries: weights.entries.filter((entry) => entry.value === "w") };
    const wanted = await channelMeans(float, "y");
    const found = await channelMeans(lower(analytic.model, only).model, "y");
    const before = await channelMeans(lower(float, only).model, "y");
    // The data's mean is 0.7 within 0.29/√(24·72) for each channel; the shift without correction is ten times as large.
    found.forEach((value, c) => {
      expect(Math.abs(value - wanted[c]!)).toBeLessThan(
        0.1 * Math.max(...before.map((b, i) => Math.abs(b - wanted[i]!))),
      );
    });
  });

  test("hybrid measures where no batch norm stands in front", async () => {
    const float = chain();
    const plan = await planned(float);
    const { report } = await correctBiases(float, plan, { runtime, data, target }, { kind: "hybrid" });
    const [first, second] = report.notes;
    expect(second).toContain("batch norm");
    // The identity kernel is on its grid: what is measured at the input moves nothing but by its quantizer.
    expect(first === undefined || first.includes("measured")).toBe(true);
  });
});
