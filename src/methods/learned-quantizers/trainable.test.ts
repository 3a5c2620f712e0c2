/** Learned quantizers compute what the shipped file will, have the gradients of the papers, and lead back to a plan. */
import { describe, expect, test } from "vitest";
import { arrayData } from "../../../test/array-data.ts";
import { outputsOf } from "../../../test/same-outputs.ts";
import { Emitter, gradientModel, seedPrefix } from "../../autodiff/inner.ts";
import { Random } from "../../base/inner.ts";
import { cloneModel, type Model, parseModel } from "../../ir/inner.ts";
import {
  builtinTarget,
  calibrate,
  lower,
  type Plan,
  parseGrid,
  place,
  type Target,
  targetFile,
  type WeightGranularity,
} from "../../quant/inner.ts";
import { parseTarget } from "../../quant/inner-files.ts";
import { openRuntime, traceShapes } from "../../runtime/inner.ts";
import { type Feeds, Tensor } from "../../tensor/inner.ts";
import { quantizeWithRange, quantizeWithScale } from "./emit.ts";
import { settle } from "./settle.ts";
import { type TrainableModel, trainableModel } from "./trainable.ts";

const runtime = await openRuntime();
const text = `<ir_version: 10, opset_import: ["" : 21]>
f (float[4,3,6,6] x) => (float[4,5] y)
  <float[8,3,3,3] w1, float[8] b1, float[8,1,3,3] w2, float[8] b2, float[8,8,1,1] w3, float[5,8] w4, float[5] b4> {
  c1 = Conv <pads = [1,1,1,1]> (x, w1, b1)
  r1 = Relu(c1)
  c2 = Conv <pads = [1,1,1,1], group = 8> (r1, w2, b2)
  c3 = Conv(c2, w3)
  s = Add(c3, r1)
  g = GlobalAveragePool(s)
  h = Flatten(g)
  y = Gemm <transB = 1> (h, w4, b4) }`;

const pictures = (seed: number) => {
  const random = new Random(seed);
  return Tensor.float32(
    [4, 3, 6, 6],
    Float32Array.from({ length: 432 }, () => random.normal()),
  );
};

/** AIMET's default with other flags, as its configuration format can say them. */
function variant(defaults: object): Target {
  const file = targetFile("aimet-default");
  return parseTarget({ ...file, defaults: { ...file.defaults, ...defaults } }, "variant");
}
const symmetricOutputs = { is_output_quantized: "True", is_symmetric: "True" };
const targets: Record<string, Target> = {
  strict: variant({ ops: symmetricOutputs, strict_symmetric: "True" }),
  "unsigned symmetric": variant({ ops: symmetricOutputs, unsigned_symmetric: "True" }),
  "asymmetric weights": variant({ params: { is_quantized: "True", is_symmetric: "False" } }),
};

interface Setting {
  readonly target: string;
  readonly weights: string;
  readonly activations: string;
  readonly granularity?: WeightGranularity;
}

async function planned({ target, weights, activations, granularity }: Setting): Promise<{ model: Model; plan: Plan }> {
  const model = parseModel(text, { seed: 5 });
  // Some channels without negatives, so that slices of one weight have different ends where a target allows that.
  const w3 = model.graph.valuesByName().get("w3")!;
  w3.initializer = Tensor.float32(
    [8, 8, 1, 1],
    w3.initializer!.floats().map((x, i) => (i % 16 < 8 ? Math.abs(x) : x)),
  );
  const feeds: Feeds = { x: pictures(1) };
  const shapes = await traceShapes(model, runtime, feeds);
  const placed = place(model, targets[target] ?? builtinTarget(target), {
    shapes,
    weights: parseGrid(weights),
    activations: parseGrid(activations),
    granularity,
  });
  const { plan } = await calibrate(model, placed, runtime, arrayData(feeds), { shapes });
  return { model, plan };
}

const settings: Record<string, Setting> = {
  "W8A8 per channel": { target: "ort-cpu", weights: "int8", activations: "uint8" },
  "W4A4 per channel": { target: "aimet-default", weights: "int4", activations: "uint4" },
  "W3A8 per tensor": { target: "aimet-default", weights: "int3", activations: "uint8", granularity: "tensor" },
  "W4A16 in blocks": { target: "aimet-default", weights: "int4", activations: "uint16", granularity: { block: 4 } },
  "W8A8 in blocks of two": { target: "ort-cpu", weights: "int8", activations: "uint8", granularity: { block: 2 } },
  "asymmetric W4A8 per channel": { target: "asymmetric weights", weights: "uint4", activations: "uint8" },
  "asymmetric W4A8 in blocks": {
    target: "asymmetric weights",
    weights: "int4",
    activations: "uint8",
    granularity: { block: 4 },
  },
  "strict W2A8": { target: "strict", weights: "int2", activations: "int8" },
  "strict W4A3 per tensor": { target: "strict", weights: "int4", activations: "int3", granularity: "tensor" },
  "unsigned symmetric W4A8, some channels without negatives": {
    target: "unsigned symmetric",
    weights: "int4",
    activations: "int8",
  },
  "W8A8, activations signed": { target: "aimet-default", weights: "int8", activations: "int8" },
};

/** The largest difference, as a part of the largest number. */
function apart(a: Float32Array, b: Float32Array): number {
  return Math.max(...a.map((value, i) => Math.abs(value - b[i]!))) / Math.max(...b.map(Math.abs));
}

/** The outputs of a training form with the biases that the file has: rounded to the accumulator's grid, and float in training. */
async function outputsWithBiasesOf(lowered: Model, trainable: TrainableModel, feeds: Feeds): Promise<Float32Array> {
  const model = cloneModel(trainable.model);
  const [values, written] = [model.graph.valuesByName(), lowered.graph.valuesByName()];
  for (const name of trainable.biases) {
    const bias = written.get(name)?.initializer;
    if (bias) values.get(name)!.initializer = bias;
  }
  return (await outputsOf(model, feeds)).y!.floats();
}

describe("the training form", () => {
  for (const [name, setting] of Object.entries(settings)) {
    test(`${name}: computes what the lowered plan computes, and settles where it began`, async () => {
      const { model, plan } = await planned(setting);
      const trainable = trainableModel(model, plan);
      const kinds = new Set(plan.entries.flatMap((entry) => (entry.kind === "weight" ? [entry.granularity.kind] : [])));
      expect([...kinds]).toContain(
        typeof setting.granularity === "object" ? "block" : (setting.granularity ?? "channel"),
      );
      expect(trainable.quantizers.length).toBeGreaterThanOrEqual(4);
      expect([...trainable.weights].sort()).toEqual(["w1", "w2", "w3", "w4"]);
      expect([...trainable.biases].sort()).toEqual(["b1", "b2", "b4"]);
      const feeds = { x: pictures(2) };
      const floatBiases = { ...plan, entries: plan.entries.filter((entry) => entry.kind !== "bias") };
      const lowered = lower(model, floatBiases).model;
      const shipped = (await outputsOf(lowered, feeds)).y!.floats();
      const trained = await outputsWithBiasesOf(lowered, trainable, feeds);
      // The same numbers in float32 but for one rounding of a scale; no tie of this seed falls on the other side.
      expect(apart(trained, shipped)).toBeLessThan(1e-4);
      const back = settle(model, floatBiases, trainable, new Map());
      expect((await outputsOf(lower(back.model, back.plan).model, feeds)).y!.floats()).toEqual(shipped);
    });
  }

  test.each(["W4A4 per channel", "W4A16 in blocks", "asymmetric W4A8 per channel", "strict W2A8"])(
    "what was trained is what the settled plan says: %s",
    async (name) => {
      const { model, plan } = await planned(settings[name]!);
      const trainable = trainableModel(model, plan);
      const values = trainable.model.graph.valuesByName();
      const random = new Random(9);
      const trained = new Map<string, Tensor>();
      const { weights, biases, weightScales, ranges } = trainable;
      for (const name of [...weights, ...biases, ...weightScales, ...ranges]) {
        const { shape, ...start } = values.get(name)!.initializer!;
        void start;
        const moved = values
          .get(name)!
          .initializer!.floats()
          .map((x) => x * random.uniform(0.8, 1.2));
        values.get(name)!.initializer = Tensor.float32(shape, moved);
        trained.set(name, values.get(name)!.initializer!);
      }
      const feeds = { x: pictures(3) };
      const { model: settled, plan: learned } = settle(model, plan, trainable, trained);
      expect(learned.entries.filter((entry) => entry.kind !== "bias").every((entry) => entry.frozen)).toBe(true);
      const lowered = lower(settled, learned).model;
      const shipped = (await outputsOf(lowered, feeds)).y!.floats();
      const simulated = await outputsWithBiasesOf(lowered, trainable, feeds);
      expect(apart(simulated, shipped)).toBeLessThan(1e-4);
    },
  );
});

test("operators in float read the float number, as in the file", async () => {
  const model = parseModel(
    `<ir_version: 10, opset_import: ["" : 21]> f (float[4,3,6,6] x) => (float[4,8,6,6] y, float[4,3,6,6] t) <float[8,3,1,1] w1> {
      t = Tanh(x)
      y = Conv(t, w1) }`,
    { seed: 5 },
  );
  const feeds: Feeds = { x: pictures(1) };
  const shapes = await traceShapes(model, runtime, feeds);
  const { plan } = await calibrate(
    model,
    place(model, builtinTarget("ort-cpu"), { shapes }),
    runtime,
    arrayData(feeds),
    { shapes },
  );
  expect(plan.entries.find(({ value }) => value === "t")!.floatReaders).toEqual(["t"]);
  const [float, trained] = [await outputsOf(model, feeds), await outputsOf(trainableModel(model, plan).model, feeds)];
  expect(trained.t!.floats()).toEqual(float.t!.floats());
  expect(trained.y!.floats()).not.toEqual(float.y!.floats());
  const everybody = await outputsOf(trainableModel(model, plan, { floatReaders: false }).model, feeds);
  expect(everybody.t!.floats()).not.toEqual(float.t!.floats());
  expect(everybody.y!.floats()).toEqual(trained.y!.floats());
});

/** x̂ = s · clip(round(x / s), low, high) of many numbers, with the gradients of a weighted sum of it. */
function reference(x: Float32Array, g: Float32Array, scale: number, low: number, high: number) {
  let [toScale, toLow] = [0, 0];
  const dx = x.map((value, i) => {
    const steps = Math.round(value / scale);
    const inside = steps >= low && steps <= high;
    toScale += g[i]! * (inside ? steps - value / scale : Math.min(Math.max(steps, low), high));
    if (!inside) toLow += g[i]! * scale;
    return inside ? g[i]! : 0;
  });
  return { dx, toScale, toLow };
}

async function gradientsOf(build: (e: Emitter, model: Model) => void, feeds: Feeds, wrt: readonly string[]) {
  const model = parseModel(
    `<ir_version: 10, opset_import: ["" : 21]> f (float[200] x) => (float[200] z) { z = Relu(x) }`,
  );
  for (const name of wrt.slice(1)) model.graph.addInput(name, { kind: "tensor", dtype: "float32", shape: [] });
  model.graph.setOutputs([]);
  build(new Emitter(model.graph), model);
  const types = await traceShapes(model, runtime, feeds);
  const seed = model.graph.outputs[0]!.name;
  await using session = await runtime.open(gradientModel(model, wrt, { types }), { optimization: "off" });
  const g = Float32Array.from({ length: 200 }, (_, i) => Math.cos(i));
  const results = await session.run({ ...feeds, [`${seedPrefix}${seed}`]: Tensor.float32([200], g) });
  return { g, gradients: wrt.map((name) => results[`gradient_${name}`]!.floats()) };
}

const spread = () => {
  const random = new Random(4);
  return Tensor.float32(
    [200],
    Float32Array.from({ length: 200 }, () => random.normal(0.2, 1)),
  );
};

describe("gradients", () => {
  for (const [low, high] of [
    [-128, 127],
    [-40, 215],
    [0, 15],
    [-4, 3],
  ] as const) {
    test(`learned step size, ${low} … ${high}`, async () => {
      const scale = 2.2 / (high - low);
      const feeds = { x: spread(), s: Tensor.scalar(scale) };
      const { g, gradients } = await gradientsOf(
        (e, model) => {
          const [x, s] = model.graph.inputs;
          model.graph.setOutputs([quantizeWithScale(e, x!, s!, { low, high })]);
        },
        feeds,
        ["x", "s"],
      );
      const expected = reference(feeds.x.floats(), g, Math.fround(scale), low, high);
      expect(Array.from(gradients[0]!, (d) => d + 0)).toEqual(Array.from(expected.dx));
      // Two hundred terms up to `high` in size, summed in float32.
      expect(Math.abs(gradients[1]![0]! - expected.toScale)).toBeLessThan(2e-4 * Math.max(-low, high));
    });
  }

  for (const bits of [4, 8]) {
    test(`learned ends, ${bits} bits`, async () => {
      const [min, max] = [-0.9, 1.3];
      const steps = 2 ** bits - 1;
      const feeds = { x: spread(), min: Tensor.scalar(min), max: Tensor.scalar(max) };
      const { g, gradients } = await gradientsOf(
        (e, model) => {
          const [x, low, high] = model.graph.inputs;
          model.graph.setOutputs([quantizeWithRange(e, x!, low!, high!, bits)]);
        },
        feeds,
        ["x", "min", "max"],
      );
      const scale = (max - min) / steps;
      const low = Math.round(min / scale);
      const { dx, toScale, toLow } = reference(feeds.x.floats(), g, scale, low, low + steps);
      // As in AIMET the ends receive the gradients of δ = (max − min) / N and o = round(min / δ), rounding straight through.
      const toMin = -toScale / steps + toLow * (1 / scale + min / (scale * scale * steps));
      const toMax = toScale / steps - (toLow * min) / (scale * scale * steps);
      expect(Array.from(gradients[0]!, (d) => d + 0)).toEqual(Array.from(dx));
      expect(gradients[1]![0]).toBeCloseTo(toMin, 3);
      expect(gradients[2]![0]).toBeCloseTo(toMax, 3);
    });
  }
});
