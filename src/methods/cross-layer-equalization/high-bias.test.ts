/** High-bias folding: the rule of three deviations, exactness on data, and what is refused. */
import { expect, test } from "vitest";
import { expectSameOutputs, seededFeeds } from "../../../test/same-outputs.ts";
import { fromTensors } from "../../data/inner.ts";
import { type Model, parseModel } from "../../ir/inner.ts";
import { batchNormStatistics, normalise } from "../../passes/inner.ts";
import { openRuntime } from "../../runtime/inner.ts";
import { foldHighBiases } from "./high-bias.ts";
import { absorbable } from "./math.ts";

const runtime = await openRuntime();

test("behind a ReLU what lies three deviations above zero moves; without one the whole mean", () => {
  expect([absorbable(5, 1, true), absorbable(5, -1, true), absorbable(2, 1, true), absorbable(-2, 1, false)]).toEqual([
    2, 2, 0, -2,
  ]);
});

/** A layer whose batch norm has means of 6 and deviations near 1, and a reader. */
async function net(middle: string, attributes = ""): Promise<Model> {
  const model = parseModel(
    `<ir_version: 8, opset_import: ["": 17]> f (float[N,3,6,6] x) => (float[] y)
    <float[4,3,1,1] w, float[4] g = {1,-1,0.5,1}, float[4] e = {6,6,6,-1}, float[4] m, float[4] s = {3,3,3,3},
     float[5,4,3,3] v, float[5] d> {
      c = Conv(x, w)
      b = BatchNormalization(c, g, e, m, s)
      ${middle}
      y = Conv ${attributes} (r, v, d) }`,
    { seed: 9 },
  );
  await normalise(model, { runtime });
  return model;
}

const biasOf = (model: Model) => [...[...model.graph.nodes][0]!.input(2)!.initializer!.floats()];

test("with data nothing changes on that data, biases fall, and the statistics follow", async () => {
  const before = await net("r = Relu(b)");
  const feeds = seededFeeds(before, { dims: { N: 8 } });
  const { model, report } = await foldHighBiases(before, { runtime, data: fromTensors(feeds) });
  expect(report.edits).toBe(1);
  const [old, now] = [biasOf(before), biasOf(model)];
  now.forEach((b, k) => {
    expect(b).toBeLessThanOrEqual(old[k]!);
  });
  expect(now[2]).toBeLessThan(old[2]! - 3);
  expect(now[3]).toBe(old[3]);
  const first = [...model.graph.nodes][0]!;
  expect(batchNormStatistics(first.output)!.beta[2]).toBeCloseTo(6 + now[2]! - old[2]!, 5);
  await expectSameOutputs(before, model, { feeds, atol: 1e-4 /* 36 products of numbers near 6 */ });
});

test("without an activation it is exact for any data", async () => {
  const before = await net("r = Identity(b)");
  const { model } = await foldHighBiases(before, { runtime });
  biasOf(model).forEach((b, k) => {
    expect(b).toBeCloseTo(biasOf(before)[k]! - [6, 6, 6, -1][k]!, 5);
  });
  await expectSameOutputs(before, model, { atol: 1e-4 /* 36 products of numbers near 6 */ });
});

test("a padded reader is left alone, with the reason", async () => {
  const before = await net("r = Relu(b)", "<pads = [1,1,1,1]>");
  const { model, report } = await foldHighBiases(before, { runtime });
  expect(report.edits).toBe(0);
  expect(report.notes.join("\n")).toMatch(/its biases stay: Conv .*pads with zeros/);
  expect(biasOf(model)).toEqual(biasOf(before));
});
