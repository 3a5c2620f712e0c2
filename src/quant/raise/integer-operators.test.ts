/** Operators of integers that small files of ONNX Runtime's quantizer do not have, and what is refused: the oracle is ONNX Runtime on the same text. */
import { describe, expect, test } from "vitest";
import { seededFeeds } from "../../../test/same-outputs.ts";
import { type Model, parseModel } from "../../ir/inner.ts";
import { openRuntime } from "../../runtime/inner.ts";
import { lower } from "../inner.ts";
import { raise } from "./raise.ts";

const runtime = await openRuntime();

async function outputs(model: Model): Promise<number[][]> {
  await using session = await runtime.open(model, { threads: 1, exactProducts: true });
  return Object.values(await session.run(seededFeeds(model))).map((tensor) => tensor.numbers());
}

const head = '<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]> f';
const scales = "float s = {0.02}, uint8 z = {128}, float t = {0.03}, uint8 u = {100}";
const cases: Record<string, string> = {
  "QGemm that returns floats, scaled": `${head} (float[2,4] x) => (float[2,3] y) <${scales}, int8[3,4] w = {1,-2,3,4,5,-6,7,8,9,10,-11,12}, float[3] a = {0.01,0.02,0.03}, int8[3] o = {0,0,0}, int32[3] c = {100,-200,300}> {
    q = QuantizeLinear(x, s, z) y = com.microsoft.QGemm <transB = 1, alpha = 0.5> (q, s, z, w, a, o, c) }`,
  QLinearWhere: `${head} (float[2,4] x, float[2,4] v, bool[2,4] b) => (float[2,4] y) <${scales}> {
    q = QuantizeLinear(x, s, z) r = QuantizeLinear(v, t, u) w = com.microsoft.QLinearWhere(b, q, s, z, r, t, u, t, u) y = DequantizeLinear(w, t, u) }`,
  "QLinearConcat of two grids, split and padded": `${head} (float[2,4] x, float[2,4] k) => (float[2,6] y, float[2,4] v) <${scales}, int64[4] p = {0,1,0,1}> {
    q = QuantizeLinear(x, s, z) r = QuantizeLinear(k, t, u) c = com.microsoft.QLinearConcat <axis = 1> (t, u, q, s, z, r, t, u)
    l, m = Split <axis = 1> (c) d = Pad(l, p, u) y = DequantizeLinear(d, t, u) v = DequantizeLinear(m, t, u) }`,
  "ArgMax of integers": `${head} (float[2,4] x) => (int64[2,1] y) <${scales}> { q = QuantizeLinear(x, s, z) y = ArgMax <axis = 1> (q) }`,
  "MatMulNBits with a bias": `${head} (float[2,16] x) => (float[2,2] y) <uint8[2,1,8] w = {1,35,69,103,137,171,205,239,16,50,84,118,152,186,220,254}, float[2] a = {0.1,0.2}, float[2] c = {1,2}> {
    y = com.microsoft.MatMulNBits <K = 16, N = 2, bits = 4, block_size = 16, accuracy_level = 1> (x, w, a, "", "", c) }`,
  "GatherBlockQuantized with zero points": `${head} (int64[3] x) => (float[3,32] y) <uint8[4,16] w, float[4,2] a = {0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8}, uint8[4,1] o = {103,120,152,35}> {
    y = com.microsoft.GatherBlockQuantized <bits = 4, block_size = 16, gather_axis = 0, quantize_axis = 1> (w, x, a, o) }`,
};

test.each(Object.entries(cases))("%s", async (_, text) => {
  const theirs = parseModel(text, { seed: 5 });
  const before = await outputs(theirs);
  const { model, plan } = raise(theirs);
  expect([...model.graph.nodes].filter(({ op }) => /Quantize|NBits|^Q/.test(op))).toEqual([]);
  const after = await outputs(lower(model, plan).model);
  // Float sums in another order: 1e-6 of numbers of about one.
  for (const [i, numbers] of before.entries())
    for (const [k, x] of numbers.entries()) expect(after[i]![k]).toBeCloseTo(x, 5);
});

describe("what stands for no plan is refused", () => {
  const refused: Record<string, [string, RegExp]> = {
    "channels last": [
      `${head} (float[1,4,4,2] x) => (float[1,1,1,2] y) <${scales}> {
        q = QuantizeLinear(x, s, z) p = com.microsoft.QLinearGlobalAveragePool <channels_last = 1> (q, s, z, t, u) y = DequantizeLinear(p, t, u) }`,
      /expected channels in front of positions of QLinearGlobalAveragePool, got channels last/,
    ],
    "an old Softmax over an inner axis": [
      `${head} (float[1,4,2] x) => (float[1,4,2] y) <${scales}> {
        q = QuantizeLinear(x, s, z) p = com.microsoft.QLinearSoftmax <axis = 1, opset = 12> (q, s, z, t, u) y = DequantizeLinear(p, t, u) }`,
      /expected a Softmax over the last axis/,
    ],
    "columns that were sorted": [
      `${head} (float[2,16] x) => (float[2,2] y) <uint8[2,1,8] w, float[2] a, int32[16] g = {0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}> {
        y = com.microsoft.MatMulNBits <K = 16, N = 2, bits = 4, block_size = 16> (x, w, a, "", g) }`,
      /expected MatMulNBits without g_idx/,
    ],
    "a scale that is computed": [
      `${head} (float[2,4] x, float s) => (float[2,4] y) <uint8 z = {3}> { q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z) }`,
      /got 2 × QuantizeLinear, DequantizeLinear|got 2 × DequantizeLinear, QuantizeLinear/,
    ],
    "an input that is missing": [
      `${head} (float[2,4] x) => (float[2,4] y) <${scales}> { q = QuantizeLinear(x, s, z) w = com.microsoft.QLinearAdd(q, s, z, "", s, z, t, u) y = DequantizeLinear(w, t, u) }`,
      /expected the input B, got none/,
    ],
  };
  test.each(Object.entries(refused))("%s", (_, [text, message]) => {
    expect(() => raise(parseModel(text, { seed: 5 }))).toThrow(message);
  });
});
