/** Operators of ONNX Runtime's own domain against central differences. */
import { describe } from "vitest";
import { Tensor } from "../../../tensor/inner.ts";
import { gradientSuite } from "../../gradient-suite.ts";

const call = (op: string, inputs: string, attributes = "", opset = 21) => {
  const names = [...inputs.matchAll(/\] (\w+)/g)].map(([, name]) => name);
  return {
    text: `f (${inputs}) => (float y) { y = com.microsoft.${op}${attributes ? ` <${attributes}>` : ""} (${names.join(", ")}) }`,
    opset,
  };
};
const ints = (shape: readonly number[], values: readonly number[]) =>
  Tensor.of("int32", shape, Int32Array.from(values));

describe("activations", () => {
  gradientSuite({
    Gelu: call("Gelu", "float[3,4] x"),
    FastGelu: call("FastGelu", "float[3,4] x, float[4] b"),
    "FastGelu without bias": call("FastGelu", "float[3,4] x"),
    QuickGelu: call("QuickGelu", "float[3,4] x", "alpha = 1.3"),
    BiasGelu: call("BiasGelu", "float[2,3,4] x, float[4] b"),
  });
});

describe("products", () => {
  gradientSuite({
    FusedMatMul: call("FusedMatMul", "float[2,3,4] a, float[2,4,5] b", "alpha = 0.5"),
    "FusedMatMul, first turned": call("FusedMatMul", "float[2,4,3] a, float[4,5] b", "transA = 1"),
    "FusedMatMul, both turned": call("FusedMatMul", "float[2,4,3] a, float[1,5,4] b", "transA = 1, transB = 1"),
    "FusedMatMul of two matrices": call("FusedMatMul", "float[2,3] a, float[3,4] b"),
    "FusedMatMul, second turned": call("FusedMatMul", "float[2,3,4] a, float[5,4] b", "transB = 1"),
    TransposeMatMul: call("TransposeMatMul", "float[2,4,3] a, float[2,4,5] b", "transA = 1, alpha = 0.5"),
    FusedConv: call("FusedConv", "float[1,2,4,4] x, float[3,2,3,3] w, float[3] b", `activation = "Sigmoid"`),
    "FusedConv with a sum": call(
      "FusedConv",
      "float[1,2,4,4] x, float[3,2,3,3] w, float[3] b, float[1,3,2,2] z",
      `activation = "Tanh"`,
    ),
    "FusedConv that leaks": {
      ...call("FusedConv", "float[1,2,4,4] x, float[3,2,3,3] w", `activation = "LeakyRelu", activation_params = [0.3]`),
      step: 2e-3,
    },
    "FusedConv within bounds": {
      ...call(
        "FusedConv",
        "float[1,2,4,4] x, float[3,2,3,3] w",
        `activation = "Clip", activation_params = [-2.0, 1.5]`,
      ),
      step: 2e-3,
    },
    "FusedConv without an activation": call("FusedConv", "float[1,2,4,4] x, float[3,2,3,3] w, float[3] b"),
    "FusedGemm that leaks": {
      ...call(
        "FusedGemm",
        "float[3,4] a, float[4,5] b, float[5] c",
        `activation = "LeakyRelu", activation_alpha = 0.3`,
      ),
      step: 2e-3,
    },
    FusedGemm: call(
      "FusedGemm",
      "float[3,4] a, float[5,4] b, float[5] c",
      `activation = "Tanh", transB = 1, alpha = 0.5`,
    ),
    Inverse: {
      ...call("Inverse", "float[2,2] x"),
      feeds: { x: Tensor.float32([2, 2], [2, 0.3, -0.4, 1.5]) },
    },
  });
});

describe("normalizations", () => {
  const sum = "float[2,3,4] x, float[2,3,4] s, float[4] g";
  gradientSuite({
    SkipLayerNormalization: call("SkipLayerNormalization", `${sum}, float[4] b, float[4] c`),
    SkipSimplifiedLayerNormalization: call("SkipSimplifiedLayerNormalization", `${sum}, float[4] c`),
    "with the sum": {
      text: `f (${sum}, float[4] b) => (float y, float t) {
         y, , , t = com.microsoft.SkipLayerNormalization(x, s, g, b) }`,
    },
    "the sum only": {
      text: `f (${sum}) => (float y, float t) {
         y, , , t = com.microsoft.SkipSimplifiedLayerNormalization(x, s, g) }`,
      outputs: ["t"],
      wrt: ["x", "s"],
    },
  });
});

describe("attention", () => {
  const threes = "float[2,3,8] q, float[2,4,8] k, float[2,4,8] v";
  gradientSuite({
    MultiHeadAttention: call("MultiHeadAttention", threes, "num_heads = 2"),
    "MultiHeadAttention with bias and mask": {
      text: `f (${threes}, float[24] b, int32[2,4] m, float[1,2,3,4] a) => (float y) {
         y = com.microsoft.MultiHeadAttention <num_heads = 2, scale = 0.6> (q, k, v, b, m, a) }`,
      feeds: { m: ints([2, 4], [1, 1, 1, 0, 1, 1, 1, 1]) },
    },
    "MultiHeadAttention, causal": call(
      "MultiHeadAttention",
      threes.replace("[2,3,8]", "[2,4,8]"),
      "num_heads = 2, unidirectional = 1",
    ),
    "Attention with something added to the scores": {
      text: `f (float[2,3,4] x, float[4,24] w, float[24] b, float[1,2,3,3] a) => (float y) {
         y = com.microsoft.Attention <num_heads = 2> (x, w, b, , , a) }`,
    },
    "GroupQueryAttention without rotation": {
      text: `f (float[1,3,32] q, float[1,3,16] k, float[1,3,16] v) => (float y, float nk, float nv)
         <int32[1] last = {2}, int32 total = {3}> {
         y, nk, nv = com.microsoft.GroupQueryAttention <num_heads = 2, kv_num_heads = 1> (q, k, v, , , last, total) }`,
      outputs: ["y"],
      wrt: ["q", "k", "v"],
    },
    "GroupQueryAttention, rotated in pairs of neighbours": {
      text: `f (float[1,3,32] q, float[1,3,16] k, float[1,3,16] v, float[1,1,0,16] p, float[1,1,0,16] o, float[8,8] c, float[8,8] s)
         => (float y, float nk, float nv)
         <int32[1] last = {2}, int32 total = {3}> {
         y, nk, nv = com.microsoft.GroupQueryAttention <num_heads = 2, kv_num_heads = 1, do_rotary = 1, rotary_interleaved = 1>
           (q, k, v, p, o, last, total, c, s) }`,
      outputs: ["y"],
      wrt: ["q", "k", "v"],
    },
    "MultiHeadAttention, inputs left out by name": {
      text: `f (${threes}) => (float y) { y = com.microsoft.MultiHeadAttention <num_heads = 2> (q, k, v, "", "", "", "", "") }`,
    },
    Attention: {
      text: `f (float[2,3,4] x, float[4,24] w, float[24] b) => (float y) {
         y = com.microsoft.Attention <num_heads = 2> (x, w, b) }`,
    },
    "Attention, causal, with a mask": {
      text: `f (float[1,3,4] x, float[4,12] w, float[12] b, int32[1,3] m) => (float y) {
         y = com.microsoft.Attention <num_heads = 2, unidirectional = 1> (x, w, b, m) }`,
      feeds: { m: ints([1, 3], [1, 1, 0]) },
    },
    GroupQueryAttention: {
      text: `f (float[1,3,32] q, float[1,3,16] k, float[1,3,16] v, float[1,1,0,16] p, float[1,1,0,16] o, float[8,8] c, float[8,8] s)
         => (float y, float nk, float nv)
         <int32[1] last = {2}, int32 total = {3}> {
         y, nk, nv = com.microsoft.GroupQueryAttention <num_heads = 2, kv_num_heads = 1, do_rotary = 1>
           (q, k, v, p, o, last, total, c, s) }`,
      outputs: ["y"],
      wrt: ["q", "k", "v"],
    },
  });
});
