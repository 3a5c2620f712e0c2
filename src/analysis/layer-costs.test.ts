/** Costs of layers against AIMET's published numbers of its MNIST network, and against sums made by hand. */
import { expect, test } from "vitest";
import { mnistNet } from "../../test/mnist-net.ts";
import { inferTypes } from "../facts/inner.ts";
import { parseModel } from "../ir/inner.ts";
import { layerCosts } from "./layer-costs.ts";

test("the MNIST network of AIMET's cost model", () => {
  const model = mnistNet();
  const costs = layerCosts(model, inferTypes(model));
  expect(costs.map(({ layer }) => layer)).toEqual(["conv1", "conv2", "fc1", "fc2"]);
  expect(costs.map(({ macs }) => macs)).toEqual([627200, 10035200, 3211264, 10240]);
  // AIMET's "memory" is the size of the weight; biases come on top here.
  expect(costs.map(({ parameters }) => parameters)).toEqual([800 + 32, 51200 + 64, 3211264 + 1024, 10240 + 10]);
  expect(costs.map(({ bytes }) => bytes)).toEqual(costs.map(({ parameters }) => 4 * parameters));
  expect(costs.map(({ activationBytes }) => activationBytes)).toEqual([
    4 * 32 * 28 * 28,
    4 * 64 * 14 * 14,
    4 * 1024,
    4 * 10,
  ]);
});

test("groups count their own inputs, half floats half the bytes, a shared weight once, an unknown length nothing", () => {
  const model = parseModel(
    `<ir_version: 10, opset_import: ["" : 21]> f (float16[1,4,6,6] x, float[1,T,3] r) => (y, z)
    <float16[8,2,3,3] w, float[3,3] v> { y = Conv <group = 2> (x, w) a = MatMul(r, v) z = MatMul(a, v) }`,
    { seed: 1 },
  );
  const costs = layerCosts(model, inferTypes(model));
  expect(costs.map(({ macs, bytes }) => [macs, bytes])).toEqual([
    [8 * 16 * 2 * 9, 2 * 8 * 2 * 9],
    [null, 36],
    [null, 0],
  ]);
});
