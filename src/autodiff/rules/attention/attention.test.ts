/** Attention in its forms against central differences. */
import { describe, expect, test } from "vitest";
import { Tensor } from "../../../tensor/inner.ts";
import { expectGradients, gradientSuite } from "../../gradient-suite.ts";

const attend = (q: string, k: string, v: string, attributes = "", more = "", names = "") => ({
  text: `f (float[${q}] q, float[${k}] k, float[${v}] v${more}) => (float y) {
     y = Attention${attributes ? ` <${attributes}>` : ""} (q, k, v${names}) }`,
  opset: 23,
});
const bools = (shape: readonly number[], values: readonly number[]) =>
  Tensor.of("bool", shape, Uint8Array.from(values));

describe("Attention", () => {
  gradientSuite({
    "four axes": attend("2,2,3,4", "2,2,5,4", "2,2,5,3"),
    "three axes": attend("2,3,8", "2,5,8", "2,5,8", "q_num_heads = 2, kv_num_heads = 2, scale = 0.7"),
    causal: attend("1,2,4,3", "1,2,4,3", "1,2,4,3", "is_causal = 1"),
    "queries share keys": attend("1,3,8", "1,4,4", "1,4,4", "q_num_heads = 4, kv_num_heads = 2"),
    "a mask of floats": attend("2,2,3,4", "2,2,5,4", "2,2,5,4", "", ", float[3,5] m", ", m"),
    "a mask of bools": {
      ...attend("1,2,2,4", "1,2,3,4", "1,2,3,4", "", ", bool[2,3] m", ", m"),
      feeds: { m: bools([2, 3], [1, 1, 0, 1, 0, 1]) },
    },
    "a mask of floats and causal": attend("1,2,3,4", "1,2,3,4", "1,2,3,4", "is_causal = 1", ", float[3,3] m", ", m"),
    softcap: attend("1,2,3,4", "1,2,3,4", "1,2,3,4", "softcap = 1.5"),
    "softcap and a mask": attend("1,2,3,4", "1,2,3,4", "1,2,3,4", "softcap = 1.5", ", float[1,1,3,3] m", ", m"),
    "a past": {
      text: `f (float[1,2,3,4] q, float[1,2,3,4] k, float[1,2,3,4] v, float[1,2,2,4] pk, float[1,2,2,4] pv)
         => (float y, float nk, float nv) {
         y, nk, nv = Attention <is_causal = 1> (q, k, v, , pk, pv) }`,
      opset: 23,
    },
  });
});

const turns = "float[6,2] c, float[6,2] s";

describe("RotaryEmbedding", () => {
  gradientSuite({
    "four axes": {
      text: `f (float[1,2,3,4] x, ${turns}, int64[1,3] p) => (float y) { y = RotaryEmbedding(x, c, s, p) }`,
      feeds: { p: Tensor.int64([1, 3], [0, 2, 5]) },
      wrt: ["x"],
      opset: 23,
    },
    "interleaved, part of a head": {
      text: `f (float[1,3,12] x, float[6,1] c, float[6,1] s, int64[1,3] p) => (float y) {
         y = RotaryEmbedding <interleaved = 1, num_heads = 2, rotary_embedding_dim = 2> (x, c, s, p) }`,
      feeds: { p: Tensor.int64([1, 3], [0, 2, 5]) },
      wrt: ["x"],
      opset: 23,
    },
    "com.microsoft": {
      text: `f (float[1,3,8] x, int64[1,3] p, ${turns}) => (float y) {
         y = com.microsoft.RotaryEmbedding <num_heads = 2> (x, p, c, s) }`,
      feeds: { p: Tensor.int64([1, 3], [0, 2, 5]) },
      wrt: ["x"],
    },
  });
});

test("an inner product that something depends on is refused", async () => {
  const text = `f (float[1,2,3,4] q, float[1,2,3,4] k, float[1,2,3,4] v) => (float y, float w) {
     y, , , w = Attention(q, k, v) }`;
  await expect(expectGradients({ text, opset: 23 })).rejects.toThrow("its inner product");
});

test("tables that are trained are refused", async () => {
  for (const wrt of [["c"], ["s"]]) {
    const text = `f (float[1,2,3,4] x, ${turns}, int64[1,3] p) => (float y) { y = RotaryEmbedding(x, c, s, p) }`;
    const feeds = { p: Tensor.int64([1, 3], [0, 2, 5]) };
    await expect(expectGradients({ text, feeds, wrt, opset: 23 })).rejects.toThrow("its tables");
  }
});
