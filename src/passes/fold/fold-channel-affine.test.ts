/** Constants per channel go into the layer before them. */
import { describe, expect, test } from "vitest";
import { expectSameOutputs } from "../../../test/same-outputs.ts";
import { cloneModel, parseModel } from "../../ir/inner.ts";
import { batchNormRecords } from "../batch-norm.ts";
import { runPass, runPasses } from "../pass.ts";
import { foldBatchNorms } from "./fold-batch-norm.ts";
import { foldChannelAffines } from "./fold-channel-affine.ts";

async function fold(text: string) {
  const before = parseModel(text, { seed: 5, positive: ["v"] });
  const after = cloneModel(before);
  await runPass(after, foldBatchNorms);
  const report = (await runPasses(after, [foldChannelAffines])).at(-1)!;
  // One more float32 rounding of weights in sums of a few dozen products of size one.
  await expectSameOutputs(before, after, { atol: 2e-5, rtol: 2e-5 });
  return { after, left: [...after.graph.nodes].map((node) => node.op), refusals: report.refusals.map((r) => r.reason) };
}

const fires: Record<string, [text: string, left: string[]]> = {
  "a batch norm taken apart": [
    `f (float[N,3,5,5] x) => (float[N,4,3,3] y) <float[4,3,3,3] w, float[1,4,1,1] a, float[4,1,1] b, float[1,4,1,1] m, float[4,1,1] d> {
       c = Conv(x, w)
       s = Sub(c, m)
       e = Div(s, d)
       g = Mul(a, e)
       y = Add(b, g) }`,
    ["Conv"],
  ],
  "subtracted from a constant": [
    `f (float[N,3] x) => (float[N,4] y) <float[3,4] w, float[4] b, float[1] a> {
       c = Gemm(x, w, b)
       y = Sub(a, c) }`,
    ["Gemm"],
  ],
  "MatMul with its Add": [
    `f (float[N,7,3] x) => (float[N,7,4] y) <float[3,4] w, float[4] b, float[1,1,4] a, float c> {
       p = MatMul(x, w)
       s = Add(p, b)
       t = Mul(s, a)
       y = Add(t, c) }`,
    ["MatMul", "Add"],
  ],
  "an input that the model normalises itself": [
    `f (float[N,3,5,5] x) => (float[N,4,3,3] y) <float[4,3,3,3] w, float[3,1,1] m, float[1,3,1,1] d, float c = {0.5}> {
       s = Sub(x, m)
       e = Div(s, d)
       g = Mul(c, e)
       y = Conv(g, w) }`,
    ["Conv"],
  ],
  "a factor before padding, into two layers": [
    `f (float[N,3,5,5] x) => (float[N,4,5,5] y, float[N,2,5,5] z) <float[4,3,3,3] w, float[2,3,3,3] v, float[3,1,1] a, int64[8] p = {0,0,1,1,0,0,1,1}> {
       g = Mul(x, a)
       y = Conv <pads = [1,1,1,1]> (g, w)
       q = Pad(g, p)
       z = Conv(q, v) }`,
    ["Conv", "Pad", "Conv"],
  ],
  "a shift before flattened rows": [
    `f (float[N,4,2,3] x) => (float[N,5] y) <float[5,24] w, float[5] b, float[4,1,1] a> {
       s = Sub(a, x)
       t = Flatten(s)
       y = Gemm <transB = 1, alpha = 0.5, beta = 3.0> (t, w, b) }`,
    ["Flatten", "Gemm"],
  ],
  "before a transposed convolution of points": [
    `f (float[N,4,3,3] x) => (float[N,6,3,3] y) <float[4,3,1,1] w, float[6] b, float[4,1,1] a> {
       s = Add(x, a)
       y = ConvTranspose <group = 2> (s, w, b) }`,
    ["ConvTranspose"],
  ],
};

describe("folds", () => {
  test.each(Object.entries(fires))("%s", async (_name, [text, left]) => {
    expect((await fold(text)).left).toEqual(left);
  });
});

const refuses: Record<string, [text: string, reason: RegExp]> = {
  "a number per place": [
    `f (float[N,3,5,5] x) => (float[N,4,3,3] y) <float[4,3,3,3] w, float[3] a> { c = Conv(x, w) y = Mul(c, a) }`,
    /one number per channel/,
  ],
  "several readers": [
    `f (float[N,3,5,5] x) => (float[N,4,3,3] y) <float[4,3,3,3] w, float a> { c = Conv(x, w) d = Mul(c, a) y = Add(c, d) }`,
    /several readers/,
  ],
  "a shift before padding": [
    `f (float[N,3,5,5] x) => (float[N,4,5,5] y) <float[4,3,3,3] w, float[3,1,1] a> { s = Add(x, a) y = Conv <pads = [1,1,1,1]> (s, w) }`,
    /pads with zeros/,
  ],
  "a shift before a transposed convolution, whose borders and strides see part of the kernel": [
    `f (float[N,4,3,3] x) => (float[N,3,7,7] y) <float[4,3,3,3] w, float[4,1,1] a> { s = Add(x, a) y = ConvTranspose <strides = [2,2]> (s, w) }`,
    /pads with zeros/,
  ],
  "one channel that becomes three": [
    `f (float[N,1,5,5] x) => (float[N,4,3,3] y) <float[4,3,3,3] w, float[3,1,1] a> { s = Mul(x, a) y = Conv(s, w) }`,
    /not known to be one number per channel of x/,
  ],
  "a number per place before a layer": [
    `f (float[N,3,5,5] x) => (float[N,4,3,3] y) <float[4,3,3,3] w, float[5] a> { s = Mul(x, a) y = Conv(s, w) }`,
    /not known to be one number per channel of x/,
  ],
  "division by zero before a layer": [
    `f (float[N,3,5,5] x) => (float[N,4,3,3] y) <float[4,3,3,3] w, float[3,1,1] a = {1, 0, 2}> { s = Div(x, a) r = Relu(x) y = Conv(s, w) }`,
    /divides by zero/,
  ],
  "a constant that widens the result": [
    `f (float[2,3] x) => (float[5,2,4] y) <float[3,4] w, float[5,1,1] a> { c = Gemm(x, w) y = Mul(c, a) }`,
    /one number per channel/,
  ],
};

describe("refuses", () => {
  test.each(Object.entries(refuses))("%s", async (_name, [text, reason]) => {
    expect((await fold(text)).refusals.join()).toMatch(reason);
  });
});

test("the bias of a MatMul and a residual stay", async () => {
  const { left, refusals } = await fold(
    `f (float[N,3] x) => (float[N,3] y) <float[3,3] w, float[3] b> { p = MatMul(x, w) s = Add(p, b) y = Add(s, x) }`,
  );
  expect(left).toEqual(["MatMul", "Add", "Add"]);
  expect(refusals).toEqual([]);
});

test("batch norm statistics move along", async () => {
  const { after } = await fold(
    `f (float[N,3,5,5] x) => (float[N,2,5,5] y) <float[2,3,1,1] w, float[2] g = {1, 2}, float[2] be = {3, 4}, float[2] m, float[2] v, float[2,1,1] a = {10, 20}, float b = {1}> {
       c = Conv(x, w)
       n = BatchNormalization(c, g, be, m, v)
       s = Mul(n, a)
       y = Add(s, b) }`,
  );
  expect(batchNormRecords(after.graph.values()).get("y")).toEqual({ gamma: [10, 40], beta: [31, 81] });
});
