/** What has no gradient here is refused before a wrong number is made, in words that name it. */
import { expect, test } from "vitest";
import { backwardOperators } from "../../../test/backward-operators.ts";

const graph = (inputs: string, body: string) => `f (${inputs}) => (float y) { ${body} }`;
const ms = (name: string, attributes: string, inputs: string) =>
  `y = com.microsoft.${name} <${attributes}> (${inputs})`;
const heads = "num_heads = 2";
const grouped = "num_heads = 2, kv_num_heads = 2";
const texts = "float[2,3,4] x, float[2,3,4] k, float[2,3,4] v";
const past = "float[2,2,1,2] p, float[2,2,1,2] q";
const lengths = "int32[2] l, int32[1] t";

test.each([
  [
    "a moved batch axis",
    graph("float[2,3] x, float[3,4] w", ms("FusedMatMul", "transBatchA = 1", "x, w")),
    /transBatch/,
  ],
  ["of the other", graph("float[2,3] x, float[3,4] w", ms("FusedMatMul", "transBatchB = 1", "x, w")), /transBatch/],
  ["a vector in front", graph("float[3] x, float[3,4] w", ms("FusedMatMul", "alpha = 1.0", "x, w")), /a vector/],
  ["a vector behind", graph("float[2,3] x, float[3] w", ms("FusedMatMul", "alpha = 1.0", "x, w")), /a vector/],
  [
    "a function that its output does not tell",
    graph("float[1,2,4,4] x, float[2,2,1,1] w", ms("FusedConv", `activation = "Softplus"`, "x, w")),
    /activation Softplus has no slope/,
  ],
  [
    "a function that nobody knows",
    graph("float[1,2,4,4] x, float[2,2,1,1] w", ms("FusedConv", `activation = "Odd"`, "x, w")),
    /Odd/,
  ],
  [
    "a mask of three axes",
    graph(`${texts}, int32[2,3,3] m`, ms("MultiHeadAttention", heads, `x, k, v, "", m`)),
    /its mask of shape/,
  ],
  [
    "a cache",
    graph(`${texts}, ${past}`, ms("MultiHeadAttention", heads, `x, k, v, "", "", "", p, q`)),
    /its input 6 is a cache/,
  ],
  ["all packed in one", graph("float[2,3,2,3,2] x", ms("MultiHeadAttention", heads, "x")), /packed in one/],
  [
    "keys and values in one",
    graph("float[2,3,4] x, float[2,3,2,2,2] k", ms("MultiHeadAttention", heads, "x, k")),
    /packed in one/,
  ],
  [
    "keys of four axes",
    graph("float[2,3,4] x, float[2,2,3,2] k, float[2,2,3,2] v", ms("MultiHeadAttention", heads, "x, k, v")),
    /packed in one/,
  ],
  [
    "a past of projected attention",
    graph("float[2,3,4] x, float[4,12] w, float[12] b, float[2,2,2,1,2] p", ms("Attention", heads, `x, w, b, "", p`)),
    /its past is a cache/,
  ],
  [
    "a rotation of it",
    graph("float[2,3,4] x, float[4,12] w, float[12] b", ms("Attention", `${heads}, do_rotary = 1`, "x, w, b")),
    /its rotation/,
  ],
  [
    "groups in one",
    graph(`float[2,3,12] x, ${lengths}`, ms("GroupQueryAttention", grouped, `x, "", "", "", "", l, t`)),
    /packed in one/,
  ],
  [
    "groups with a past",
    graph(`${texts}, ${past}, ${lengths}`, ms("GroupQueryAttention", grouped, "x, k, v, p, q, l, t")),
    /its past is a cache/,
  ],
  [
    "a window",
    graph(
      `${texts}, ${lengths}`,
      ms("GroupQueryAttention", `${grouped}, local_window_size = 2`, `x, k, v, "", "", l, t`),
    ),
    /its window/,
  ],
  [
    "a smooth softmax",
    graph(`${texts}, ${lengths}`, ms("GroupQueryAttention", `${grouped}, smooth_softmax = 1`, `x, k, v, "", "", l, t`)),
    /smooth softmax/,
  ],
  [
    "statistics that something depends on",
    graph("float[2,3] x, float[3] g", `n, m = LayerNormalization(x, g) y = Add(n, m)`),
    /its statistics/,
  ],
  [
    "a net with samples in front",
    "f (float[2,3,3] x) => (float y) <float[1,2,3] w, float[1,2,2] r> { y = RNN <hidden_size = 2, layout = 1> (x, w, r) }",
    /its layout 1/,
  ],
  [
    "a net with a function that nobody knows",
    `f (float[3,2,3] x) => (float y) <float[1,2,3] w, float[1,2,2] r> {
       y = RNN <hidden_size = 2, activations = ["Odd"]> (x, w, r) }`,
    /no activation of the standard/,
  ],
  [
    "an inverse of half a spectrum",
    "f (float[2,5,2] x) => (float[2,8,1] y) { y = DFT <inverse = 1, onesided = 1> (x) }",
    /the inverse of half a spectrum/,
  ],
  ["a transform along no axis", "f (float[2,2,5,1] x) => (float[2,2,5,2] y) { y = DFT(x) }", /its axis is left out/],
  ...["cubic", "bicubic"].map((mode): [string, string, RegExp] => [
    `points read ${mode}`,
    graph("float[1,1,3,3] x, float[1,2,2,2] g", `y = GridSample <mode = "${mode}"> (x, g)`),
    /its cubic mode/,
  ]),
  ...[`mode = "max", sampling_ratio = 2`, "sampling_ratio = 0", "sampling_ratio = -1"].map(
    (how): [string, string, RegExp] => [
      `boxes with ${how}`,
      graph("float[1,1,6,6] x, float[2,4] r, int64[2] o", `y = RoiAlign <${how}> (x, r, o)`),
      how.startsWith("mode") ? /its mode max/ : /sampling_ratio 0/,
    ],
  ),
  [
    "lengths of keys",
    graph("float[1,2,3,4] x, float[1,2,3,4] k, int64[1] n", `y = Attention(x, k, k, "", "", "", n)`),
    /its nonpad_kv_seqlen/,
  ],
  [
    "a loop whose body could not be run alone",
    "f (float[3] x) => (float y) <int64 n = {2}> { y = Loop (n, , x) <body = s (int64 i, bool c, a) => (bool d, b) { b = Sin(a) d = Identity(c) }> }",
    /the types inside its body are not known/,
  ],
  [
    "a drop without its mask",
    "f (float[2,3] x) => (float y) <float r = {0.5}, bool t = {1}> { y = Dropout(x, r, t) }",
    /drops at random without telling its mask/,
  ],
])("%s", (_, text, message) => {
  expect(() => backwardOperators(text, "x")).toThrowError(
    expect.objectContaining({ code: "autodiff/no-gradient", message: expect.stringMatching(message) }),
  );
});

test.each([
  ["NegativeLogLikelihoodLoss", "NegativeLogLikelihoodLoss"],
  ["SoftmaxCrossEntropyLoss", "SoftmaxCrossEntropyLoss"],
])("the weights of the classes of %s", (_, op) => {
  const text = `f (float[2,3] x, float[3] w) => (float y) <int64[2] l = {0, 2}> { y = ${op}(x, l, w) }`;
  expect(() => backwardOperators(text, "w")).toThrow("belong to the task");
  expect(() => backwardOperators(text, "x")).not.toThrow();
});
