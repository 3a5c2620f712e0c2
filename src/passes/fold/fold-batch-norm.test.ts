/** Batch norms fold into every layer where that is exact, and say why not elsewhere. */
import { describe, expect, test } from "vitest";
import { expectSameOutputs } from "../../../test/same-outputs.ts";
import { check, cloneModel, type Model, parseModel } from "../../ir/inner.ts";
import { batchNormRecords } from "../batch-norm.ts";
import { runPass } from "../pass.ts";
import { why } from "../rule.ts";
import { foldBatchNormBackward, foldBatchNormForward, foldBatchNorms } from "./fold-batch-norm.ts";

const positive = ["v", "v2"];
const parse = (text: string) => parseModel(text, { seed: 3, positive });
const bn = (c: number, suffix = "") =>
  `float[${c}] g${suffix}, float[${c}] be${suffix}, float[${c}] m${suffix}, float[${c}] v${suffix}`;
const opsOf = (model: Model) => [...model.graph.nodes].map((node) => node.op);

async function fold(before: Model): Promise<{ after: Model; refusals: string[] }> {
  const after = cloneModel(before);
  const report = await runPass(after, foldBatchNorms);
  // Everything is in float32; a folded weight is rounded once more, in layers of a few dozen products of size one.
  await expectSameOutputs(before, after, { atol: 2e-5, rtol: 2e-5 });
  return { after, refusals: report.refusals.map((r) => r.reason) };
}

const fires: Record<string, [text: string, left: string[]]> = {
  "Conv without bias": [
    `f (float[N,3,6,6] x) => (float[N,4,4,4] y) <float[4,3,3,3] w, ${bn(4)}> {
       c = Conv(x, w)
       b = BatchNormalization <epsilon = 0.001> (c, g, be, m, v)
       y = Relu(b) }`,
    ["Conv", "Relu"],
  ],
  "Conv with bias, groups, padding; the batch norm is the output": [
    `f (float[N,4,6,6] x) => (float[N,8,6,6] y) <float[8,2,3,3] w, float[8] b, ${bn(8)}> {
       c = Conv <group = 2, pads = [1,1,1,1]> (x, w, b)
       y = BatchNormalization(c, g, be, m, v) }`,
    ["Conv"],
  ],
  "Conv 1-D": [
    `f (float[N,3,9] x) => (float[N,4,7] y) <float[4,3,3] w, ${bn(4)}> {
       c = Conv(x, w)
       y = BatchNormalization(c, g, be, m, v) }`,
    ["Conv"],
  ],
  "Conv 3-D, depthwise": [
    `f (float[N,4,4,4,4] x) => (float[N,4,3,3,3] y) <float[4,1,2,2,2] w, float[4] b, ${bn(4)}> {
       c = Conv <group = 4> (x, w, b)
       y = BatchNormalization(c, g, be, m, v) }`,
    ["Conv"],
  ],
  "ConvTranspose with groups": [
    `f (float[N,4,3,3] x) => (float[N,6,7,7] y) <float[4,3,3,3] w, float[6] b, ${bn(6)}> {
       c = ConvTranspose <group = 2, strides = [2,2]> (x, w, b)
       y = BatchNormalization(c, g, be, m, v) }`,
    ["ConvTranspose"],
  ],
  "Gemm with alpha, beta and transB": [
    `f (float[N,5] x) => (float[N,4] y) <float[4,5] w, float[1,4] b, ${bn(4)}> {
       c = Gemm <alpha = 0.5, beta = 2.0, transB = 1> (x, w, b)
       y = BatchNormalization(c, g, be, m, v) }`,
    ["Gemm"],
  ],
  "Gemm without bias": [
    `f (float[N,5] x) => (float[N,4] y) <float[5,4] w, ${bn(4)}> {
       c = Gemm(x, w)
       y = BatchNormalization(c, g, be, m, v) }`,
    ["Gemm"],
  ],
  "MatMul of matrices becomes Gemm": [
    `f (float[N,5] x) => (float[N,4] y) <float[5,4] w, ${bn(4)}> {
       c = MatMul(x, w)
       b = BatchNormalization(c, g, be, m, v)
       y = Relu(b) }`,
    ["Gemm", "Relu"],
  ],
  "MatMul and Add": [
    `f (float[N,5] x) => (float[N,4] y) <float[5,4] w, float[4] b, ${bn(4)}> {
       c = MatMul(x, w)
       a = Add(b, c)
       y = BatchNormalization(a, g, be, m, v) }`,
    ["MatMul", "Add"],
  ],
  "MatMul over sequences, turned for the batch norm and back": [
    `f (float[N,7,5] x) => (float[N,7,4] y) <float[5,4] w, ${bn(4)}> {
       c = MatMul(x, w)
       t = Transpose <perm = [0,2,1]> (c)
       b = BatchNormalization(t, g, be, m, v)
       y = Transpose <perm = [0,2,1]> (b) }`,
    ["MatMul", "Add", "Transpose", "Transpose"],
  ],
  "Gemm, unsqueezed": [
    `f (float[N,5] x) => (float[N,4,1] y) <float[5,4] w, float[4] b, ${bn(4)}, int64[1] two = {2}> {
       c = Gemm(x, w, b)
       u = Unsqueeze(c, two)
       y = BatchNormalization(u, g, be, m, v) }`,
    ["Gemm", "Unsqueeze"],
  ],
  "Gemm reshaped to places: a channel is a run of columns": [
    `f (float[N,5] x) => (float[N,2,3,2] y) <float[5,12] w, float[12] b, ${bn(2)}, int64[4] to = {-1, 2, 3, 2}> {
       c = Gemm(x, w, b)
       u = Reshape(c, to)
       y = BatchNormalization(u, g, be, m, v) }`,
    ["Gemm", "Reshape"],
  ],
  "forward into Conv without padding": [
    `f (float[N,4,5,5] x) => (float[N,6,3,3] y) <float[6,2,3,3] w, float[6] b, ${bn(4)}> {
       n = BatchNormalization(x, g, be, m, v)
       y = Conv <group = 2> (n, w, b) }`,
    ["Conv"],
  ],
  "forward into two layers": [
    `f (float[N,4,5,5] x) => (float[N,6,3,3] y, float[N,2,5,5] z) <float[6,4,3,3] w, float[2,4,1,1] w2, ${bn(4)}> {
       n = BatchNormalization(x, g, be, m, v)
       y = Conv(n, w)
       z = Conv(n, w2) }`,
    ["Conv", "Conv"],
  ],
  "forward into a padded Conv when the shift is zero": [
    `f (float[N,2,4,4] x) => (float[N,6,4,4] y) <float[6,2,3,3] w, float[2] g, float[2] be = {0, 0}, float[2] m = {0, 0}, float[2] v> {
       n = BatchNormalization(x, g, be, m, v)
       y = Conv <pads = [1,1,1,1]> (n, w) }`,
    ["Conv"],
  ],
  "forward through Flatten into Gemm": [
    `f (float[N,4,2,3] x) => (float[N,5] y) <float[5,24] w, float[5] b, ${bn(4)}> {
       n = BatchNormalization(x, g, be, m, v)
       t = Flatten(n)
       y = Gemm <transB = 1, alpha = 0.5, beta = 3.0> (t, w, b) }`,
    ["Flatten", "Gemm"],
  ],
  "forward through Reshape into MatMul": [
    `f (float[N,4,2,3] x) => (float[N,5] y) <float[24,5] w, ${bn(4)}, int64[2] to = {-1, 24}> {
       n = BatchNormalization(x, g, be, m, v)
       t = Reshape(n, to)
       y = MatMul(t, w) }`,
    ["Reshape", "Gemm"],
  ],
  "two in a row": [
    `f (float[N,3,6,6] x) => (float[N,4,4,4] y) <float[4,3,3,3] w, ${bn(4)}, ${bn(4, "2")}> {
       c = Conv(x, w)
       b = BatchNormalization(c, g, be, m, v)
       y = BatchNormalization(b, g2, be2, m2, v2) }`,
    ["Conv"],
  ],
  "through pooling that averages": [
    `f (float[N,3,8,8] x) => (float[N,4,4,4] y) <float[4,3,1,1] w, ${bn(4)}> {
       c = Conv(x, w)
       p = AveragePool <kernel_shape = [3,3], strides = [2,2], pads = [1,1,1,1]> (c)
       y = BatchNormalization(p, g, be, m, v) }`,
    ["Conv", "AveragePool"],
  ],
  "through a maximum, for positive scales": [
    `f (float[N,3,8,8] x) => (float[N,2,4,4] y) <float[2,3,1,1] w, float[2] g = {0.5, 2}, float[2] be, float[2] m, float[2] v> {
       c = Conv(x, w)
       p = MaxPool <kernel_shape = [3,3], strides = [2,2], pads = [1,1,1,1]> (c)
       y = BatchNormalization(p, g, be, m, v) }`,
    ["Conv", "MaxPool"],
  ],
  "through reflection and enlarging": [
    `f (float[N,3,4,4] x) => (float[N,4,12,12] y) <float[4,3,1,1] w, ${bn(4)}, int64[8] p = {0,0,1,1,0,0,1,1}, float[4] s = {1,1,2,2}> {
       c = Conv(x, w)
       r = Pad <mode = "reflect"> (c, p)
       u = Resize <mode = "linear"> (r, , s)
       y = BatchNormalization(u, g, be, m, v) }`,
    ["Conv", "Pad", "Resize"],
  ],
  "forward through reflection": [
    `f (float[N,4,5,5] x) => (float[N,6,5,5] y) <float[6,4,3,3] w, ${bn(4)}, int64[8] p = {0,0,1,1,0,0,1,1}> {
       n = BatchNormalization(x, g, be, m, v)
       r = Pad <mode = "reflect"> (n, p)
       y = Conv(r, w) }`,
    ["Pad", "Conv"],
  ],
  "through zeros that take part, without a shift": [
    `f (float[N,3,4,4] x) => (float[N,4,6,6] y) <float[4,3,1,1] w, float[4] g, float[4] be = {0, 0, 0, 0}, float[4] m = {0, 0, 0, 0}, float[4] v, int64[8] p = {0,0,1,1,0,0,1,1}> {
       c = Conv(x, w)
       q = Pad(c, p)
       a = AveragePool <kernel_shape = [3,3], pads = [1,1,1,1], count_include_pad = 1> (q)
       y = BatchNormalization(a, g, be, m, v) }`,
    ["Conv", "Pad", "AveragePool"],
  ],
  "forward into a transposed convolution of points": [
    `f (float[N,4,3,3] x) => (float[N,6,3,3] y) <float[4,6,1,1] w, float[6] b, ${bn(4)}> {
       n = BatchNormalization(x, g, be, m, v)
       y = ConvTranspose(n, w, b) }`,
    ["ConvTranspose"],
  ],
  "a shared weight is copied": [
    `f (float[N,3,6,6] x) => (float[N,4,4,4] y, float[N,4,4,4] z) <float[4,3,3,3] w, ${bn(4)}> {
       c = Conv(x, w)
       y = BatchNormalization(c, g, be, m, v)
       z = Conv(x, w) }`,
    ["Conv", "Conv"],
  ],
  float64: [
    `f (double[N,5] x) => (double[N,4] y) <double[5,4] w, double[4] b, double[4] g, double[4] be, double[4] m, double[4] v> {
       c = Gemm(x, w, b)
       y = BatchNormalization(c, g, be, m, v) }`,
    ["Gemm"],
  ],
};

describe("folds", () => {
  test.each(Object.entries(fires))("%s", async (_name, [text, left]) => {
    const { after } = await fold(parse(text));
    expect(opsOf(after)).toEqual(left);
  });
});

const refuses: Record<string, [text: string, reason: RegExp]> = {
  "several readers": [
    `f (float[N,3,6,6] x) => (float[N,4,4,4] y, float[N,4,4,4] z) <float[4,3,3,3] w, ${bn(4)}> {
       c = Conv(x, w)
       y = BatchNormalization(c, g, be, m, v)
       z = Relu(c) }`,
    /c has 2 readers/,
  ],
  "a layer that is an output": [
    `f (float[N,3,6,6] x) => (float[N,4,4,4] y, float[N,4,4,4] c) <float[4,3,3,3] w, ${bn(4)}> {
       c = Conv(x, w)
       y = BatchNormalization(c, g, be, m, v) }`,
    /c is a graph output/,
  ],
  "computed weights": [
    `f (float[N,3,6,6] x, float[4,3,3,3] w) => (float[N,4,4,4] y) <${bn(4)}> {
       c = Conv(x, w)
       y = BatchNormalization(c, g, be, m, v) }`,
    /weight of Conv → c is computed/,
  ],
  "computed statistics": [
    `f (float[N,3,6,6] x, float[4] m) => (float[N,4,4,4] y) <float[4,3,3,3] w, float[4] g, float[4] be, float[4] v> {
       c = Conv(x, w)
       y = BatchNormalization(c, g, be, m, v) }`,
    /mean is computed/,
  ],
  "padding forward": [
    `f (float[N,4,5,5] x) => (float[N,6,5,5] y) <float[6,4,3,3] w, ${bn(4)}> {
       n = BatchNormalization(x, g, be, m, v)
       y = Conv <pads = [1,1,1,1]> (n, w) }`,
    /pads with zeros/,
  ],
  "a maximum of negated channels": [
    `f (float[N,3,8,8] x) => (float[N,2,4,4] y) <float[2,3,1,1] w, float[2] g = {-0.5, 2}, float[2] be, float[2] m, float[2] v> {
       c = Conv(x, w)
       p = MaxPool <kernel_shape = [2,2], strides = [2,2]> (c)
       y = BatchNormalization(p, g, be, m, v) }`,
    /would take minima/,
  ],
  "zeros that would be shifted": [
    `f (float[N,3,4,4] x) => (float[N,4,6,6] y) <float[4,3,1,1] w, ${bn(4)}, int64[8] p = {0,0,1,1,0,0,1,1}> {
       c = Conv(x, w)
       q = Pad(c, p)
       y = BatchNormalization(q, g, be, m, v) }`,
    /Pad → q adds zeros/,
  ],
  "channels on another axis": [
    `f (float[N,4,5] x) => (float[N,4,4] y) <float[5,4] w, ${bn(4)}> {
       c = MatMul(x, w)
       y = BatchNormalization(c, g, be, m, v) }`,
    /axis 2 of c/,
  ],
  "a reshape that may mix samples": [
    `f (float[N,5] x) => (float[2,2,6] y) <float[5,12] w, ${bn(2)}, int64[3] to = {2, 2, -1}> {
       c = Gemm(x, w)
       u = Reshape(c, to)
       y = BatchNormalization(u, g, be, m, v) }`,
    /mixes channels/,
  ],
};

describe("refuses", () => {
  test.each(Object.entries(refuses))("%s", async (_name, [text, reason]) => {
    const before = parse(text);
    const { after, refusals } = await fold(before);
    expect(opsOf(after)).toEqual(opsOf(before));
    expect(refusals.join("; ")).toMatch(reason);
  });
});

test("training form is left alone", () => {
  const model = parse(`f (float[N,3,6,6] x) => (y, a, b) <float[4,3,3,3] w, ${bn(4)}> {
    c = Conv(x, w)
    y, a, b = BatchNormalization <training_mode = 1> (c, g, be, m, v) }`);
  const node = [...model.graph.nodes][1]!;
  expect(why(foldBatchNormBackward, node)).toMatch(/training form/);
});

test("why answers without editing", () => {
  const model = parse(fires["Conv without bias"]![0]);
  const [conv, norm] = [...model.graph.nodes];
  expect(why(foldBatchNormBackward, norm!)).toBeUndefined();
  expect(why(foldBatchNormForward, norm!)).toMatch(/looks for something else/);
  expect(why(foldBatchNormBackward, conv!)).toMatch(/looks for something else than Conv/);
  expect(opsOf(model)).toEqual(["Conv", "BatchNormalization", "Relu"]);
});

test("names: the layer keeps its own, unless the batch norm's is an output", async () => {
  const inner = await fold(parse(fires["Conv without bias"]![0]));
  expect([...inner.after.graph.nodes][0]!.output.name).toBe("c");
  const outer = await fold(parse(fires["Conv 1-D"]![0]));
  expect([...outer.after.graph.nodes][0]!.output.name).toBe("y");
});

test("the statistics stay on the folded layer and survive text", async () => {
  const before = parse(fires["Gemm reshaped to places: a channel is a run of columns"]![0]);
  const values = before.graph.valuesByName();
  const gamma = values.get("g")!.initializer!.numbers();
  const { after } = await fold(before);
  const record = batchNormRecords(after.graph.values()).get("c")!;
  expect(record.gamma).toEqual([...Array(6).fill(gamma[0]), ...Array(6).fill(gamma[1])]);
  check(after);
});
