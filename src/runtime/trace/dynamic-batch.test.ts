/** Freeing a batch of one: only when certain, and then two samples at once equal each alone. */
import { describe, expect, test } from "vitest";
import { fixture, missing } from "../../../test/fixtures.ts";
import { Random } from "../../base/inner.ts";
import { readModelFile } from "../../formats/inner-node.ts";
import { type Model, parseModel } from "../../ir/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { openRuntime } from "../doors/open-runtime.ts";
import { batchable, withDynamicBatch } from "./dynamic-batch.ts";
import { traceShapes } from "./trace.ts";

const runtime = await openRuntime();
const random = new Random(4);
const normal = (shape: number[]) =>
  Tensor.float32(
    shape,
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
  );

async function freed(model: Model, shape: readonly number[]) {
  const input = model.graph.inputs[0]!.name;
  const result = withDynamicBatch(model, await traceShapes(model, runtime, { [input]: normal([1, ...shape]) }));
  if ("because" in result) return result.because;
  return (await batchable(result.model, runtime, { [input]: normal([2, ...shape]) })) ? "equal" : "different";
}

/** The body of a model from x [1, 4, 6, 6] to y. */
const network = (body: string, opset = 21) =>
  parseModel(`<ir_version: 8, opset_import: ["" : ${opset}]> g (float[1, 4, 6, 6] x) => (float[] y) ${body}`, {
    seed: 3,
  });

describe("freed, and equal", () => {
  test.each([
    [
      "convolution, pooling, dense",
      `<float[8, 4, 3, 3] w, float[8, 5] v, float[5] b> {
       c = Conv(x, w) r = Relu(c) p = GlobalAveragePool(r) f = Flatten(p) m = MatMul(f, v) a = Add(m, b) y = Softmax <axis = -1> (a) }`,
    ],
    [
      "a reshape that spells the batch",
      "<int64[2] s = {1, 144}, float[144, 3] w> { f = Reshape(x, s) y = Gemm(f, w) }",
    ],
    ["a reshape with -1 first", "<int64[3] s = {-1, 4, 36}> { y = Reshape(x, s) }"],
    [
      "attention over places",
      `<int64[3] s = {1, 4, 36}> {
       a = Reshape(x, s) t = Transpose <perm = [0, 2, 1]> (a) q = MatMul(t, a) n = Softmax(q) y = MatMul(n, t) }`,
    ],
    ["a resize by sizes", "<int64[4] sizes = {1, 4, 9, 9}> { y = Resize(x, , , sizes) }"],
    [
      "reductions, slices, pads",
      `<int64[1] two = {2}, int64[1] one = {1}, int64[8] pads = {0, 0, 1, 1, 0, 0, 1, 1}> {
       p = Pad(x, pads) r = ReduceMean <keepdims = 0> (p, two) s = Slice(r, one, two, one) y = Neg(s) }`,
    ],
    ["constants that broadcast", "<float[1, 4, 1, 1] k, float[6] l> { a = Mul(x, k) y = Add(a, l) }"],
    [
      "quantizers per channel",
      `<float[4] s = {0.1, 0.2, 0.3, 0.4}, int8[4] z = {0, 0, 0, 0}> {
       q = QuantizeLinear <axis = 1> (x, s, z) y = DequantizeLinear <axis = 1> (q, s, z) }`,
    ],
  ])("%s", async (_, body) => {
    expect(await freed(network(body), [4, 6, 6])).toBe("equal");
  });

  const espnet = "espnet-camvid/espnet_camvid.onnx";
  test.skipIf(missing(espnet))("ESPNet, exported with a batch of one", async () => {
    expect(await freed(readModelFile(fixture(espnet)), [3, 360, 480])).toBe("equal");
  });

  test.skipIf(missing("mnist/mnist-8.onnx"))("MNIST-8, whose reshape spells the batch", async () => {
    expect(await freed(readModelFile(fixture("mnist/mnist-8.onnx")), [1, 28, 28])).toBe("equal");
  });
});

describe("refused, with the node that stands in the way", () => {
  test.each([
    ["Softmax over the samples", "{ y = Softmax <axis = 0> (x) }", "Softmax"],
    ["the batch merged into channels", "<int64[3] s = {2, 2, 36}> { y = Reshape(x, s) }", "Reshape"],
    ["the batch moved away", "{ y = Transpose <perm = [1, 0, 2, 3]> (x) }", "Transpose"],
    ["a reduction over everything", "{ r = ReduceMax <keepdims = 0> (x) y = Sub(x, r) }", "ReduceMax"],
    ["a shape that is computed", "{ s = Shape(x) y = Reshape(x, s) }", "Shape"],
    [
      "samples against each other",
      `<int64[2] s = {1, 144}> {
       f = Reshape(x, s) t = Transpose(f) y = MatMul(f, t) }`,
      "Transpose",
    ],
    ["sizes at an opset without axes", "<int64[4] sizes = {1, 4, 9, 9}> { y = Resize(x, , , sizes) }", "opset 18", 13],
    ["an operator without a rule", "{ y = Det(x) }", "Det"],
  ])("%s", async (_, body, named, opset = 21) => {
    expect(await freed(network(body, opset as number), [4, 6, 6])).toContain(named);
  });

  test("an input without a batch of one", async () => {
    const model = parseModel(
      '<ir_version: 8, opset_import: ["" : 21]> g (float[3, 2] x) => (float[3, 2] y) { y = Neg(x) }',
    );
    const types = await traceShapes(model, runtime, { x: normal([3, 2]) });
    expect(withDynamicBatch(model, types)).toEqual({ because: "the input x has no first axis of length 1" });
  });
});

test("the test by execution finds samples that mix", async () => {
  const mixing = parseModel(
    '<ir_version: 8, opset_import: ["" : 21]> g (float[N, 3] x) => (float[N, 3] y) { m = ReduceMean(x) y = Sub(x, m) }',
  );
  expect(await batchable(mixing, runtime, { x: normal([2, 3]) })).toBe(false);
  const apart = parseModel(
    '<ir_version: 8, opset_import: ["" : 21]> g (float[N, 3] x) => (float[N, 3] y) { y = Exp(x) }',
  );
  expect(await batchable(apart, runtime, { x: normal([2, 3]) })).toBe(true);
});
