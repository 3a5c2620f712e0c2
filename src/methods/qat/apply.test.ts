/** Training behind quantizers: it learns, it is reproducible, and what it learned is what the plan says. */
import { expect, test } from "vitest";
import { type Checkpoint, Random } from "../../base/inner.ts";
import { classLabels, fromTensors } from "../../data/inner.ts";
import { extract, type Model, parseModel } from "../../ir/inner.ts";
import { foldBatchNorms, runPass } from "../../passes/inner.ts";
import { builtinTarget, calibrate, lower, type Plan, parseGrid, place } from "../../quant/inner.ts";
import { openRuntime, traceShapes } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { type QatContext, trainQuantized } from "./apply.ts";
import type { QatOptions } from "./options.ts";

const runtime = await openRuntime();
const norm = (n: number) => `float[8] g${n}, float[8] e${n}, float[8] m${n}, float[8] v${n}`;
const text = `<ir_version: 10, opset_import: ["" : 21]>
f (float[N,2,6,6] x) => (float[N,3] y) <float[8,2,3,3] w1, ${norm(1)}, float[8,1,3,3] w2, ${norm(2)}, float[8,3] w3, float[3] b3> {
  c1 = Conv <pads = [1,1,1,1]> (x, w1)
  n1 = BatchNormalization(c1, g1, e1, m1, v1)
  r1 = Relu(n1)
  c2 = Conv <pads = [1,1,1,1], group = 8> (r1, w2)
  n2 = BatchNormalization(c2, g2, e2, m2, v2)
  r2 = Relu(n2)
  a = GlobalAveragePool(r2)
  h = Flatten(a)
  s = Gemm(h, w3, b3)
  y = Softmax(s) }`;

const count = 96;
const random = new Random(21);
const pictures = Tensor.float32(
  [count, 2, 6, 6],
  Float32Array.from({ length: count * 72 }, () => random.normal()),
);
const data = fromTensors({ x: pictures }, "pictures of the test");

async function planned(): Promise<{ model: Model; plan: Plan }> {
  const model = parseModel(text, { seed: 4, positive: ["v1", "v2"] });
  for (const n of [1, 2]) await setStatistics(model, n);
  await runPass(model, foldBatchNorms);
  const shapes = await traceShapes(model, runtime, { x: Tensor.float32([1, 2, 6, 6], pictures.floats().slice(0, 72)) });
  const placed = place(model, builtinTarget("aimet-default"), {
    shapes,
    weights: parseGrid("int2"),
    activations: parseGrid("uint4"),
  });
  const { plan } = await calibrate(model, placed, runtime, data, { shapes });
  return { model, plan };
}

/** Gives a batch norm the statistics that its layer really has, as a trained network's. */
async function setStatistics(model: Model, n: number): Promise<void> {
  await using session = await runtime.open(extract(model, [`c${n}`]));
  const seen = (await session.run({ x: pictures }))[`c${n}`]!.floats();
  const values = model.graph.valuesByName();
  const of = (c: number) => seen.filter((_, i) => Math.floor(i / 36) % 8 === c);
  const mean = Array.from({ length: 8 }, (_, c) => of(c).reduce((sum, x) => sum + x, 0) / of(c).length);
  const variance = mean.map((m, c) => of(c).reduce((sum, x) => sum + (x - m) ** 2, 0) / of(c).length);
  values.get(`m${n}`)!.initializer = Tensor.float32([8], mean);
  values.get(`v${n}`)!.initializer = Tensor.float32([8], variance);
}

async function trained(options: QatOptions, more: Partial<QatContext> = {}) {
  const { model, plan } = await planned();
  const context: QatContext = {
    runtime,
    data,
    target: builtinTarget("aimet-default"),
    calibration: "sqnr",
    seed: 3,
    reference: model,
    threads: 1,
    ...more,
  };
  const result = await trainQuantized(model, plan, context, { epochs: 6, batch: 24, learningRate: 5e-3, ...options });
  return { model, plan, result };
}

async function scoresOf(model: Model): Promise<Float32Array> {
  await using session = await runtime.open(model, { fuseQdq: false });
  return (await session.run({ x: pictures })).y!.floats();
}

/** Mean squared difference of the probabilities from the float model's. */
async function distance(model: Model, float: Model): Promise<number> {
  const [a, b] = [await scoresOf(model), await scoresOf(float)];
  return a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0) / a.length;
}

for (const batchNorms of ["none", "frozen", "learned"] as const) {
  test(`without labels the quantized model comes closer to the float one, batch norms ${batchNorms}`, async () => {
    const { model, plan, result } = await trained({ batchNorms });
    const before = await distance(lower(model, plan).model, model);
    const after = await distance(lower(result.model, result.plan).model, model);
    // Measured: 0.2 to 0.4 of the distance is left.
    expect(after).toBeLessThan(0.7 * before);
    const encodings = (of: Plan) => of.entries.map(({ encoding }) => encoding?.scale);
    expect(encodings(result.plan)).not.toEqual(encodings(plan));
    expect(result.plan.entries.filter(({ kind }) => kind !== "bias").every(({ frozen }) => frozen)).toBe(true);
  });
}

test("labels are learned, which the float model does not know", async () => {
  const labels = classLabels(
    Array.from({ length: count }, (_, i) =>
      pictures
        .floats()
        .subarray(i * 72, i * 72 + 36)
        .reduce((sum, x) => sum + x, 0) > 0
        ? 1
        : 0,
    ),
    "labels of the test",
  );
  const { model, plan, result } = await trained({ labels: 1, epochs: 40, learningRate: 1e-2 }, { labels });
  const right = async (of: Model) => {
    const scores = await scoresOf(of);
    return Array.from({ length: count }, (_, i) => {
      const row = scores.subarray(i * 3, i * 3 + 3);
      return row.indexOf(Math.max(...row)) === labels.at(i) ? 1 : 0;
    }).reduce((sum: number, one) => sum + one, 0);
  };
  expect(await right(lower(result.model, result.plan).model)).toBeGreaterThan(
    (await right(lower(model, plan).model)) + 10,
  );
});

test("fixed ranges stay, and the same seed gives the same bytes", async () => {
  const [first, second] = [
    await trained({ ranges: "fixed", epochs: 2 }),
    await trained({ ranges: "fixed", epochs: 2 }),
  ];
  const scales = ({ entries }: Plan) =>
    entries.flatMap(({ kind, encoding }) => (kind === "bias" ? [] : encoding!.scale));
  // What was written as float32 into the graph is read from there.
  expect(scales(first.result.plan).map(Math.fround)).toEqual(scales(first.plan).map(Math.fround));
  const weights = (model: Model) =>
    [...model.graph.initializers].map((value) => [value.name, [...value.initializer!.bytes]]);
  expect(weights(first.result.model)).toEqual(weights(second.result.model));
});

test("an interrupted training goes on where it was, byte for byte", async () => {
  const saved = new Map<string, Uint8Array>();
  const checkpoint: Checkpoint = {
    load: async (key) => saved.get(key),
    save: async (key, bytes) => {
      saved.set(key, bytes.slice());
    },
  };
  const whole = await trained({ epochs: 4 });
  const controller = new AbortController();
  const stopped = trained(
    { epochs: 4 },
    { checkpoint, signal: controller.signal, onEpoch: (epoch) => (epoch === 2 ? controller.abort() : undefined) },
  );
  await expect(stopped).rejects.toMatchObject({ code: "abort/interrupted" });
  const resumed = await trained({ epochs: 4 }, { checkpoint });
  const bytes = ({ result }: typeof whole) =>
    [...lower(result.model, result.plan).model.graph.initializers].map(({ name, initializer }) => [
      name,
      [...initializer!.bytes],
    ]);
  expect(bytes(resumed)).toEqual(bytes(whole));
});

test("labels that are asked for and missing are told", async () => {
  await expect(trained({ labels: 0.5 })).rejects.toMatchObject({ code: "data/labels" });
});
