/** Equalization against AIMET's golden numbers, and the function of the model before and after over every topology. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { blocks, graphOf } from "../../../test/block-graphs.ts";
import { fixture, missing } from "../../../test/fixtures.ts";
import { expectSameOutputs } from "../../../test/same-outputs.ts";
import { Random } from "../../base/inner.ts";
import { fromTensors } from "../../data/inner.ts";
import { readModelFile } from "../../formats/inner-node.ts";
import { check, type Model, parseModel } from "../../ir/inner.ts";
import { normalise } from "../../passes/inner.ts";
import {
  builtinTarget,
  calibrate,
  encodingMax,
  entriesByValue,
  kernelReport,
  lower,
  place,
} from "../../quant/inner.ts";
import { firstSample, openRuntime, traceShapes } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { equalizeLayers } from "./apply.ts";
import { equalizingScales, type LayerStrengths, pairScale } from "./math.ts";
import { type NoisyLayer, noiseOf, quietestScales } from "./noise-scales.ts";

const runtime = await openRuntime();
const parse = (text: string) => parseModel(text, { seed: 5 });
const opsOf = (model: Model) => [...model.graph.nodes].map((node) => node.op);
const weightOf = (model: Model, name: string) => model.graph.valuesByName().get(name)!.initializer!.floats();

/** Fills a constant with f(0), f(1), … */
function fill(model: Model, name: string, f: (i: number) => number): void {
  const value = model.graph.valuesByName().get(name)!;
  const { shape, size } = value.initializer!;
  value.initializer = Tensor.float32(
    shape,
    Float32Array.from({ length: size }, (_, i) => f(i)),
  );
}

function rangesAlong(model: Model, name: string, axis: number): number[] {
  const { shape } = model.graph.valuesByName().get(name)!.initializer!;
  const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const ranges = new Array<number>(shape[axis]!).fill(0);
  weightOf(model, name).forEach((w, i) => {
    const c = Math.floor(i / inner) % shape[axis]!;
    ranges[c] = Math.max(ranges[c]!, Math.abs(w));
  });
  return ranges;
}

describe("AIMET's golden numbers", () => {
  test("a pair: W1'[0] = 1 / W2'[0], and both sides have equal ranges", async () => {
    const before = parse(`f (float[1,2,6,6] x) => (float[1,2,4,6] y)
      <float[2,2,2,1] w1, float[2] b1, float[2,2,2,1] w2, float[2] b2> {
        a = Conv(x, w1, b1)
        r = Relu(a)
        y = Conv(r, w2, b2) }`);
    for (const name of ["w1", "w2"]) fill(before, name, (i) => i + 1);
    const { model } = await equalizeLayers(before, { runtime });
    expect(weightOf(model, "w1")[0]! * weightOf(model, "w2")[0]!).toBeCloseTo(1, 6);
    const [one, two] = [rangesAlong(model, "w1", 0), rangesAlong(model, "w2", 1)];
    one.forEach((range, c) => {
      expect(range).toBeCloseTo(two[c]!, 5);
    });
    await expectSameOutputs(before, model, { atol: 1e-4, rtol: 1e-5 /* sums of a few products of up to 100 */ });
  });

  test("a depthwise triple: 1 / W1'[0] = 0.7137658, b1' = W1'[0], W3'[0] = 0.93401319", async () => {
    const before = parse(`f (float[1,2,9,6] x) => (float[1,2,4,6] y)
      <float[2,2,3,1] w1, float[2] b1, float[2,1,6,1] w2, float[2] b2, float[2,2,3,1] w3> {
        a = Conv <pads = [1,0,1,0]> (x, w1, b1)
        r = Relu(a)
        c = Conv <group = 2, pads = [1,0,1,0]> (r, w2, b2)
        s = Relu(c)
        y = Conv(s, w3) }`);
    fill(before, "w1", (i) => i + 1);
    fill(before, "b1", () => 1);
    fill(before, "w2", (i) => 2 * i + 1);
    fill(before, "w3", (i) => i + 1);
    const { model } = await equalizeLayers(before, { runtime });
    // The sweeps stop when no scale moves by more than 1e-4.
    expect(1 / weightOf(model, "w1")[0]!).toBeCloseTo(0.7137658, 4);
    expect(weightOf(model, "b1")[0]).toBeCloseTo(weightOf(model, "w1")[0]!, 6);
    expect(weightOf(model, "w3")[0]).toBeCloseTo(0.93401319, 4);
    await expectSameOutputs(before, model, { atol: 1e-2, rtol: 1e-5 /* sums of 12 products of up to 1e4 */ });
  });

  test("a side of zeros, and ranges that are not finite, keep scale 1", () => {
    expect([pairScale(0, 2), pairScale(2, 0), pairScale(0, 0), pairScale(Number.POSITIVE_INFINITY, 1)]).toEqual([
      1, 1, 1, 1,
    ]);
    expect(pairScale(8, 2)).toBe(2);
  });
});

test("a chain comes to rest with equal ranges on both sides of every channel", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0.01, max: 100, noNaN: true }), { minLength: 12, maxLength: 12 }), (w) => {
      // Four channels through three depthwise layers: groups 1–4 behind the first, 5–8 behind the second.
      const layer = (at: number, output: readonly number[], input: readonly number[]): LayerStrengths => ({
        largest: Float64Array.from(w.slice(at, at + 4)),
        output: Int32Array.from(output),
        input: Int32Array.from(input),
      });
      const [first, second] = [
        [1, 2, 3, 4],
        [5, 6, 7, 8],
      ];
      const zeros = [0, 0, 0, 0];
      const layers = [layer(0, first, zeros), layer(4, second, first), layer(8, zeros, second)];
      const { scale } = equalizingScales(layers, 9, { tolerance: 1e-9 });
      for (let c = 0; c < 4; c++) {
        const ranges = layers.map(
          ({ largest, output, input }) => (largest[c]! * scale[input[c]!]!) / scale[output[c]!]!,
        );
        const mean = Math.cbrt(w[c]! * w[c + 4]! * w[c + 8]!);
        for (const range of ranges) expect(range / mean).toBeCloseTo(1, 5);
      }
    }),
    { numRuns: 30 },
  );
});

test("the noise of one weight is that of the formula: steps of weight and activation, squared, by twelve, over the kernel", () => {
  const one = (value: number) => Float64Array.of(value);
  const [largest, energy, kernel, meanSquare, peak, power] = [0.8, 2.5, 9, 0.3, 1.9, 5];
  const layer: NoisyLayer = {
    largest: one(largest),
    energy: one(energy),
    output: Int32Array.of(0),
    input: Int32Array.of(0),
    outputGroups: Int32Array.of(0),
    inputGroups: Int32Array.of(1),
    kernel,
    meanSquare: one(meanSquare),
    peak: one(peak),
    power,
    perChannel: false,
  };
  const weights = ((largest / 127) ** 2 / 12) * kernel * meanSquare;
  const activations = ((peak / 255) ** 2 / 12) * energy;
  // One channel alone gains nothing by a scale: the weight grows as its input shrinks.
  for (const scale of [1, 1.7]) {
    const found = noiseOf([layer], Float64Array.of(1, scale));
    expect(found / ((weights + activations) / power)).toBeCloseTo(1, 10);
  }
});

test("the gradient of the noise is that of its finite differences, and descent lowers it", () => {
  const random = new Random(3);
  const numbers = (n: number) => Float64Array.from({ length: n }, () => 0.1 + random.uniform() * 3);
  // A dense layer of 3 → 4, a depthwise one, a dense one of 4 → 2; groups 1–4 and 5–8 between them.
  const pairs = (outputs: number, inputs: number) => Array.from({ length: outputs * inputs }, (_, i) => i);
  const couplesOf = (outputs: number, inputs: number) => ({
    output: Int32Array.from({ length: outputs }, (_, o) => o),
    first: Int32Array.from({ length: outputs }, (_, o) => o % inputs),
    second: Int32Array.from({ length: outputs }, (_, o) => (o + 1) % inputs),
    firstSize: numbers(outputs),
    secondSize: numbers(outputs),
  });
  const layer = (outputs: number[], inputs: number[], isDepthwise: boolean, perChannel: boolean): NoisyLayer => {
    const all = isDepthwise ? outputs.map((_, o) => o * inputs.length + o) : pairs(outputs.length, inputs.length);
    const largest = numbers(all.length);
    return {
      largest,
      energy: largest.map((w) => 3 * w * w),
      output: Int32Array.from(all, (i) => Math.floor(i / inputs.length)),
      input: Int32Array.from(all, (i) => i % inputs.length),
      outputGroups: Int32Array.from(outputs),
      inputGroups: Int32Array.from(inputs),
      kernel: 9,
      meanSquare: numbers(inputs.length),
      peak: numbers(inputs.length),
      power: 5,
      perChannel,
      ...(isDepthwise ? {} : { couples: couplesOf(outputs.length, inputs.length) }),
    };
  };
  for (const perChannel of [false, true]) {
    const [first, second] = [
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ];
    const layers = [
      layer(first, [0, 0, 0], false, perChannel),
      layer(second, first, true, perChannel),
      layer([0, 0], second, false, perChannel),
    ];
    const scale = numbers(9);
    scale[0] = 1;
    const gradient = new Float64Array(9);
    noiseOf(layers, scale, gradient);
    for (let g = 1; g < 9; g++) {
      const at = (step: number) =>
        noiseOf(
          layers,
          scale.map((s, i) => (i === g ? s * Math.exp(step) : s)),
        );
      const difference = (at(1e-5) - at(-1e-5)) / 2e-5;
      // Pairs below 0.4 of the maximum are left out of the smoothed one: 0.4^24 of it.
      expect(Math.abs(gradient[g]! - difference)).toBeLessThan(1e-5 * noiseOf(layers, scale));
    }
    const best = quietestScales(layers, 9);
    expect(noiseOf(layers, best)).toBeLessThan(noiseOf(layers, new Float64Array(9).fill(1)));
    const start = noiseOf(layers, best);
    // The sum is convex in the logarithms: no step away from the minimum may gain more than descent left over.
    for (let k = 0; k < 20; k++) {
      const moved = best.map((s, g) => (g === 0 ? 1 : s * Math.exp(0.2 * (random.uniform() - 0.5))));
      expect(noiseOf(layers, moved)).toBeGreaterThan(0.99 * start);
    }
  }
});

const sample = (model: Model) => {
  const shape = model.graph.inputs[0]!.type;
  const dims = shape?.kind === "tensor" ? shape.shape!.map((d) => (typeof d === "number" ? d : 2)) : [];
  return fromTensors({
    x0: Tensor.float32(
      dims,
      Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i)),
    ),
  });
};

describe("the function stays", () => {
  test.each(Object.keys(blocks))("between two convolutions: %s", async (name) => {
    const before = graphOf(["conv", name, "relu", "conv", "relu", "depthwise"]);
    const { model } = await equalizeLayers(before, { runtime });
    check(model, "after equalizing");
    await expectSameOutputs(before, model, {
      atol: 1e-6,
      ofRange: 1e-5 /* float32 sums of 72 products, four layers deep */,
    });
  });

  test("over generated graphs", async () => {
    const scaled: number[] = [];
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...Object.keys(blocks)), { minLength: 2, maxLength: 9 }),
        async (names) => {
          const before = graphOf(["conv", ...names]);
          // With data the plain Relu of unreached bounds would change other inputs; without it all is exact.
          const { model, report } = await equalizeLayers(before, { runtime });
          await expectSameOutputs(before, model, {
            atol: 1e-6,
            ofRange: 3e-5 /* float32, up to a dozen layers deep */,
          });
          scaled.push(report.edits);
        },
      ),
      { numRuns: 40, seed: 11 },
    );
    expect(scaled.filter((edits) => edits > 0).length).toBeGreaterThan(10);
  });
});

describe("clips", () => {
  const text = (high: number) => `<ir_version: 8, opset_import: ["": 17]> f (float[N,8,8,8] x0) => (float[N,4,8,8] y)
    <float[8,8,1,1] w, float[8] b, float l = {0}, float h = {${high}}, float[4,8,1,1] v> {
      c = Conv(x0, w, b)
      r = Clip(c, l, h)
      y = Conv(r, v) }`;

  test("become Relu and Min with a bound for each channel", async () => {
    const before = parse(text(0.5));
    const { model, report } = await equalizeLayers(before, { runtime, data: sample(before) }, { objective: "ranges" });
    expect(opsOf(model)).toEqual(["Conv", "Relu", "Min", "Conv"]);
    expect(report.notes.join("\n")).toContain("bounded per channel");
    await expectSameOutputs(before, model, { atol: 1e-6, rtol: 1e-5 /* sums of 8 products */ });
  });

  test("become a plain Relu where the data never reaches the bound, and the notes say so", async () => {
    const before = parse(text(1000));
    const { model, report } = await equalizeLayers(before, { runtime, data: sample(before) });
    expect(opsOf(model)).toEqual(["Conv", "Relu", "Conv"]);
    expect(report.notes.join("\n")).toMatch(/plain Relu, because its input never reaches 1000/);
  });
});

test("shared weights and what a nonlinearity fixes are left alone, with the reason", async () => {
  const { model, report } = await equalizeLayers(graphOf(["shared", "sigmoid", "conv", "sigmoid"]), { runtime });
  expect(report.notes.join("\n")).toContain("its weight is shared with another node");
  expect(report.edits).toBe(0);
  expect(opsOf(model)).toContain("Sigmoid");
});

const fixtures: Record<string, { path: string; dims?: Record<string, number>; scaled: number }> = {
  MobileNetV1: { path: "mobilenetv1-025-imagenet/mobilenet_v1_0.25_224.onnx", scaled: 28 },
  "ResNet-20": { path: "resnet-cifar10-akamaster/resnet20.onnx", scaled: 20 },
  "ResNet-56": { path: "resnet-cifar10-akamaster/resnet56.onnx", scaled: 56 },
  ESPNet: { path: "espnet-camvid/espnet_camvid.onnx", scaled: 30 },
  FastestDet: { path: "fastestdet-coco/FastestDet.onnx", scaled: 30 },
  "basic-pitch": { path: "basic-pitch/nmp.onnx", scaled: 2 },
};

for (const [name, { path, scaled }] of Object.entries(fixtures)) {
  test.skipIf(missing(path))(`${name} computes what it did`, async () => {
    const before = readModelFile(fixture(path));
    await normalise(before, { runtime });
    const { model, report } = await equalizeLayers(before, { runtime });
    expect(report.edits).toBeGreaterThanOrEqual(scaled);
    // AIMET allows a relative 1e-3; these are float32 sums in dozens of layers.
    await expectSameOutputs(before, model, { atol: 1e-5, ofRange: 1e-4, dims: {}, session: {} });
  });
}

test("a bounded Relu keeps the integer kernel of its convolution, and one grid on both sides of the bound", async () => {
  const before = parse(`<ir_version: 8, opset_import: ["": 17]> f (float[N,8,8,8] x0) => (float[N,8,8,8] y)
    <float[8,8,1,1] w, float[8] b, float l = {0}, float h = {0.5}, float[8,8,1,1] v> {
      c = Conv(x0, w, b)
      r = Clip(c, l, h)
      d = Conv(r, v)
      y = Relu(d) }`);
  const data = sample(before);
  await normalise(before, { runtime });
  const { model } = await equalizeLayers(before, { runtime, data }, { objective: "ranges" });
  const shapes = await traceShapes(model, runtime, await firstSample(data));
  const target = builtinTarget("ort-cpu");
  const { plan } = await calibrate(model, place(model, target, { shapes }), runtime, data, { scheme: "minmax" });
  const entries = entriesByValue(plan);
  const [relu, min] = [...model.graph.nodes].filter((node) => node.op === "Relu" || node.op === "Min");
  expect(entries.get(relu!.output.name)?.sharesEncodingOf).toBe(min!.output.name);
  // The grid ends at the largest bound, although the Relu before it gives more.
  const bounds = min!.input(1)!.initializer!.floats();
  expect(encodingMax(entries.get(relu!.output.name)!.encoding!)).toBeLessThanOrEqual(Math.max(...bounds) * 1.01);
  const lowered = lower(model, plan);
  const shipped = lowered.model;
  const folder = mkdtempSync(join(tmpdir(), "avocet-equalize-"));
  try {
    const path = join(folder, "optimized.onnx");
    await using _session = await runtime.open(shipped, { optimizedModelPath: path });
    expect(kernelReport(lowered, readModelFile(path), plan).map(({ integer }) => integer)).toEqual([true, true]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
