/**
 * No int32 bias saturates, however small the weights next to it: every kind of linear layer, every granularity, every method, in
 * the file that ships and in a stock session (which stores biases in int32 itself where the file leaves them in float).
 */
import { expect, test } from "vitest";
import { Random } from "../src/base/inner.ts";
import { fromTensors } from "../src/data/inner.ts";
import { readModelFile } from "../src/formats/inner-node.ts";
import { type Model, parseModel } from "../src/ir/inner.ts";
import { builtinTarget, calibrate, lower, place, targetFile } from "../src/quant/inner.ts";
import { parseRecipe, quantizeModel, type RecipeInput, trainModel } from "../src/recipe/inner.ts";
import { openRuntime, traceShapes } from "../src/runtime/inner.ts";
import { type Feeds, Tensor } from "../src/tensor/inner.ts";
import { fieldCase, missing } from "./fixtures.ts";
import { outputsOf } from "./same-outputs.ts";
import { signalToNoise } from "./signal-to-noise.ts";

const runtime = await openRuntime("ort-node");
const random = new Random(5);
const normal = (shape: readonly number[], deviation = 1) =>
  Tensor.float32(
    shape,
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => deviation * random.normal()),
  );

/** Weights w… are about 1e-9, of every second channel where their name ends in "h"; biases b… are a few units. */
function scaled(text: string): Model {
  const model = parseModel(`<ir_version: 10, opset_import: ["": 21]> ${text}`, { seed: 2 });
  for (const { name, initializer } of model.graph.initializers) {
    if (!name.startsWith("w") || !initializer) continue;
    const { shape } = initializer;
    const channel = (i: number) => Math.floor(i / (initializer.size / shape[0]!)) % 2;
    const data = initializer.floats().map((x, i) => (name.endsWith("h") && channel(i) === 0 ? x * 0.3 : x * 1e-9));
    model.graph.valuesByName().get(name)!.initializer = Tensor.float32(shape, data);
  }
  for (const { name, initializer } of model.graph.initializers) {
    if (!name.startsWith("b") || !initializer) continue;
    const data = initializer.floats().map((x) => 3 + x);
    model.graph.valuesByName().get(name)!.initializer = Tensor.float32(initializer.shape, data);
  }
  return model;
}

const pictures = () =>
  scaled(`g (float[N,4,6,6] x) => (float[N,5] y)
  <float[8,4,3,3] w1h, float[8] b1, float[8,1,3,3] w2, float[8] b2, float[8,3,2,2] w3, float[6] b3, float[6,3,1,1] w4, float[6] b4,
   float[8,6] w5, float[8] b5, float[8,7] w6, float[7] b6, float[7,6] w7, float[6] b7, float[6,5] w8, float[5] b8>
  { c1 = Conv <pads = [1,1,1,1]> (x, w1h, b1) r1 = Relu (c1)
    c2 = Conv <group = 8> (r1, w2, b2) r2 = Relu (c2)
    c3 = ConvTranspose <group = 2, strides = [2,2]> (r2, w3, b3) r3 = Relu (c3)
    c4 = Conv <group = 2> (r3, w4, b4) r4 = Relu (c4) p = GlobalAveragePool (r4) f = Flatten (p)
    g5 = Gemm <transB = 1> (f, w5, b5) r5 = Relu (g5)
    m6 = MatMul (r5, w6) a6 = Add (b6, m6) r6 = Relu (a6)
    g7 = Gemm <alpha = 0.5, beta = 2.0> (r6, w7, b7)
    m8 = MatMul (g7, w8) y = Add (m8, b8) }`);
const sequences = () =>
  scaled(`g (float[N,5,4] x) => (float[N,5,3] y)
  <float[4,6] w1, float[6] b1, float[6,6] w2h, float[6] b2, float[6] k, float[6,3] w3, float[3] b3>
  { m1 = MatMul (x, w1) a1 = Add (m1, b1) s = Mul (a1, k) m2 = MatMul (s, w2h) a2 = Add (b2, m2) r = Relu (a2)
    m3 = MatMul (r, w3) y = Add (m3, b3) }`);
const shared = () =>
  scaled(`g (float[N,4,6,6] x) => (float[N,4,6,6] y)
  <float[4,4,3,3] w1, float[4] b1, float[4] b2> { c1 = Conv <pads = [1,1,1,1]> (x, w1, b1) r = Relu (c1)
    c2 = Conv <pads = [1,1,1,1]> (r, w1, b2) s = Relu (c2) y = Conv <pads = [1,1,1,1]> (s, w1, b1) }`);

const nets = {
  pictures: { model: pictures(), x: normal([8, 4, 6, 6]) },
  sequences: { model: sequences(), x: normal([8, 5, 4]) },
  "shared weights": { model: shared(), x: normal([8, 4, 6, 6]) },
};

/** AIMET's default with int32 biases: all linear operators are quantized. */
const { avocet, ...everything } = targetFile("aimet-default");
const targets = { "ort-cpu": "ort-cpu", everything: { ...everything, avocet: { ...avocet, bias: "int32" } } } as const;

const quick = { rowsPerColumn: 5 };
const methods: Record<string, RecipeInput["methods"]> = {
  none: [],
  descent: [{ method: "adaround", iterations: 0, ...quick }],
  "adaround, bias correction": [{ method: "adaround", iterations: 5, ...quick }, { method: "bias-correction" }],
  "gptq, batch norms": [{ method: "gptq", ...quick }, { method: "batch-norm-re-estimation" }],
  seqmse: [{ method: "seqmse", ...quick }],
  "seqmse as AIMET": [{ method: "seqmse", search: "aimet", ...quick }, { method: "bias-correction" }],
  equalization: [
    { method: "dead-channels" },
    { method: "cle" },
    { method: "high-bias" },
    { method: "bias-correction" },
  ],
  reconstruction: [{ method: "reconstruction", iterations: 3 }],
};

/** Largest integer among the int32 biases of a shipped model. */
function largest(shipped: Model): number {
  const biases = [...shipped.graph.initializers].filter(({ initializer }) => initializer?.dtype === "int32");
  return biases.reduce(
    (most, { initializer }) => initializer!.numbers().reduce((m, b) => Math.max(m, Math.abs(b)), most),
    0,
  );
}

async function expectHeld(float: Model, shipped: Model, feeds: Feeds): Promise<void> {
  expect(largest(shipped)).toBeLessThan(2 ** 31 - 2 ** 14);
  const wanted = (await outputsOf(float, feeds)).y!.floats();
  for (const optimization of ["off", "full"] as const) {
    const found = (await outputsOf(shipped, feeds, { optimization })).y!.floats();
    // Eight bits give 35 dB and more on these; a saturated bias leaves less than 10.
    expect(signalToNoise(wanted, found), optimization).toBeGreaterThan(27);
  }
}

interface Row {
  readonly net: keyof typeof nets;
  readonly target: keyof typeof targets;
  readonly granularity: string;
  /** One of `methods`, "trained" or "data-free". */
  readonly by: string;
}

/** With AVOCET_BIASES=all every method meets every net, target and granularity; otherwise each meets some of each. */
function* rows(): Iterable<Row> {
  const granularities = ["tensor", "channel", "block:2"];
  const all = [...Object.keys(methods), "trained", "data-free"];
  for (const net of Object.keys(nets) as Row["net"][]) {
    for (const target of Object.keys(targets) as Row["target"][]) {
      for (const [i, by] of all.entries()) {
        for (const [k, granularity] of granularities.entries()) {
          const usual =
            by === "none" ||
            (net === "sequences" &&
              (i + (target === "ort-cpu" ? 0 : 1)) % 3 === k &&
              !(by === "reconstruction" && target === "ort-cpu"));
          const wide = net === "pictures" && target === "everything" && i % 3 === k && by !== "reconstruction";
          if (usual || wide || process.env.AVOCET_BIASES === "all") yield { net, target, granularity, by };
        }
      }
    }
  }
}

test.each([...rows()])("$net for $target per $granularity: $by", async ({ net, target, granularity, by }) => {
  const { model, x } = nets[net];
  const data = fromTensors({ x });
  const weights = granularity.startsWith("block") ? "int4" : "int8";
  const common = { target: targets[target], granularity, weights };
  if (by === "trained") {
    const training = { epochs: 1, batch: 4, compare: "numbers" as const };
    const { shipped } = await trainModel(model, data, parseRecipe({ ...common, preset: "fast", training }), runtime);
    await expectHeld(model, shipped, { x });
  } else if (by === "data-free") {
    const recipe = parseRecipe({ ...common, preset: by, inputs: { x: { low: -4, high: 4 } } });
    await expectHeld(model, (await quantizeModel(model, null, recipe, runtime)).shipped, { x });
  } else {
    const recipe = parseRecipe({ ...common, methods: methods[by] });
    await expectHeld(model, (await quantizeModel(model, data, recipe, runtime)).shipped, { x });
  }
});

test("ranges that someone else decided, and a plan that was edited by hand", async () => {
  const { model, x } = nets.sequences;
  const shapes = await traceShapes(model, runtime, { x });
  const { plan } = await calibrate(
    model,
    place(model, builtinTarget("ort-cpu"), { shapes }),
    runtime,
    fromTensors({ x }),
  );
  const small = {
    ...plan,
    entries: plan.entries.map((entry) =>
      entry.kind === "weight" && entry.encoding
        ? { ...entry, frozen: true, encoding: { ...entry.encoding, scale: entry.encoding.scale.map(() => 1e-11) } }
        : entry,
    ),
  };
  await expectHeld(model, lower(model, small).model, { x });
  const again = await calibrate(model, small, runtime, fromTensors({ x }));
  await expectHeld(model, lower(model, again.plan).model, { x });
  expect(again.plan.entries.find((entry) => entry.value === "w1")!.reason).toContain(
    "raised until the int32 bias fits",
  );
});

const tiny = "tiny_weight_big_bias/model.onnx";
test.skipIf(missing(tiny))(
  "the network of a bug report, as good with the default preset as with ranges alone",
  async () => {
    const model = readModelFile(fieldCase(tiny));
    const x = normal([32, 8, 16, 16]);
    const wanted = (await outputsOf(model, { x })).y!.floats();
    const found: number[] = [];
    for (const preset of ["fast", "standard"] as const) {
      const { shipped } = await quantizeModel(
        model,
        fromTensors({ x }),
        parseRecipe({ preset, float: ["Gemm"] }),
        runtime,
      );
      found.push(signalToNoise(wanted, (await outputsOf(shipped, { x }, { optimization: "full" })).y!.floats()));
    }
    expect(found[0]).toBeGreaterThan(38);
    expect(found[1]).toBeGreaterThan(found[0]! - 1);
  },
);
