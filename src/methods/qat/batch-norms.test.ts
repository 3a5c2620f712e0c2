/** Batch norms come back without changing anything, and leave again without changing anything. */
import { expect, test } from "vitest";
import { arrayData } from "../../../test/array-data.ts";
import { outputsOf } from "../../../test/same-outputs.ts";
import { Random } from "../../base/inner.ts";
import { cloneModel, parseModel } from "../../ir/inner.ts";
import { foldBatchNorms, runPass } from "../../passes/inner.ts";
import { builtinTarget, calibrate, lower, type Plan, parseGrid, place } from "../../quant/inner.ts";
import { openRuntime, traceShapes } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { settle } from "../learned-quantizers/settle.ts";
import { trainableModel } from "../learned-quantizers/trainable.ts";
import { withBatchNorms, withoutBatchNorms } from "./batch-norms.ts";

const runtime = await openRuntime();
const norm = (n: number) => `float[8] g${n}, float[8] e${n}, float[8] m${n}, float[8] v${n}`;
const text = `<ir_version: 10, opset_import: ["" : 21]>
f (float[4,3,6,6] x) => (float[4,8,1,1] y) <float[8,3,3,3] w1, ${norm(1)}, float[8,1,3,3] w2, ${norm(2)}> {
  c1 = Conv <pads = [1,1,1,1]> (x, w1)
  n1 = BatchNormalization(c1, g1, e1, m1, v1)
  r1 = Relu(n1)
  c2 = Conv <pads = [1,1,1,1], group = 8> (r1, w2)
  n2 = BatchNormalization(c2, g2, e2, m2, v2)
  r2 = Relu(n2)
  y = GlobalAveragePool(r2) }`;
const random = new Random(3);
const feeds = {
  x: Tensor.float32(
    [4, 3, 6, 6],
    Float32Array.from({ length: 432 }, () => random.normal()),
  ),
};

async function folded() {
  const model = parseModel(text, { seed: 8, positive: ["v1", "v2"] });
  await runPass(model, foldBatchNorms);
  const shapes = await traceShapes(model, runtime, feeds);
  const placed = place(model, builtinTarget("aimet-default"), {
    shapes,
    weights: parseGrid("int4"),
    activations: parseGrid("uint8"),
  });
  const { plan } = await calibrate(model, placed, runtime, arrayData(feeds), { shapes });
  return { model, plan };
}

const outputOf = async (model: Parameters<typeof outputsOf>[0]) =>
  Object.values(await outputsOf(model, feeds))[0]!.floats();
const apart = (a: Float32Array, b: Float32Array) => Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));

test("a folded model gets its batch norms back and computes the same", async () => {
  const { model, plan } = await folded();
  const before = await outputOf(model);
  const normalized = withBatchNorms(model, plan);
  expect(normalized.layers.length).toBe(2);
  expect([...normalized.model.graph.nodes].filter(({ op }) => op === "BatchNormalization").length).toBe(2);
  // Numbers of size one, rounded once more by each batch norm.
  expect(apart(await outputOf(normalized.model), before)).toBeLessThan(1e-5);
  expect(await outputOf(model)).toEqual(before);
});

test("what was trained with batch norms settles into the folded model, quantizers included", async () => {
  const { model, plan } = await folded();
  const { model: normalized, layers } = withBatchNorms(model, plan);
  const withoutBiases: Plan = { ...plan, entries: plan.entries.filter((entry) => entry.kind !== "bias") };
  const trainable = trainableModel(normalized, withoutBiases);
  const values = trainable.model.graph.valuesByName();
  // Training moved everything, and one gain changed its sign.
  for (const { weight, gain, shift, mean, variance } of layers) {
    for (const name of [weight, gain, shift, mean, variance, `${weight}.scale`]) {
      const start = values.get(name)!.initializer!;
      const moved = start.floats().map((x, i) => x * random.uniform(0.8, 1.2) * (name === gain && i === 3 ? -1 : 1));
      values.get(name)!.initializer = Tensor.float32(start.shape, moved);
    }
  }
  const trained = withoutBatchNorms(
    layers,
    (name) => values.get(name)!.initializer!,
    (weight) => `${weight}.scale`,
  );
  const settled = settle(model, withoutBiases, { ...trainable, biases: layers.map(({ bias }) => bias) }, trained);
  const simulated = await outputOf(cloneModel(trainable.model));
  // The channel whose gain turned negative has its grid upside down: −8 became 8, which int4 lacks. It is left out.
  const lowered = lower(settled.model, settled.plan).model;
  // The file has its biases on the grids of the accumulators (round-float-biases.ts); training knows none, so that they are taken back.
  const [exact, stored] = [settled.model.graph.valuesByName(), lowered.graph.valuesByName()];
  for (const { bias } of layers) stored.get(bias)!.initializer = exact.get(bias)!.initializer;
  const shipped = await outputOf(lowered);
  const differences = shipped.map((value, i) => Math.abs(value - simulated[i]!)).filter((_, i) => i % 8 !== 3);
  // A step of an activation that falls on the other side of a tie shows as a thirty-sixth of a step in an average.
  expect(Math.max(...differences)).toBeLessThan(2e-3);
});
