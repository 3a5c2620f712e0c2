/** Graphs of every topology, for properties: blocks that can follow each other in any order. */
import { type Model, parseModel } from "../src/ir/inner.ts";

/** Graph text made of blocks of eight channels on 8 × 8 positions; every block leaves both as they were. */
export const blocks: Record<string, (i: string, x: string, y: string) => { body: string; weights: string }> = {
  conv: (i, x, y) => ({
    body: `${y} = Conv <pads = [1,1,1,1]> (${x}, w${i}, b${i})`,
    weights: `float[8,8,3,3] w${i}, float[8] b${i}`,
  }),
  grouped: (i, x, y) => ({ body: `${y} = Conv <group = 2> (${x}, w${i})`, weights: `float[8,4,1,1] w${i}` }),
  depthwise: (i, x, y) => ({
    body: `${y} = Conv <group = 8, pads = [1,1,1,1]> (${x}, w${i}, b${i})`,
    weights: `float[8,1,3,3] w${i}, float[8] b${i}`,
  }),
  transposed: (i, x, y) => ({
    body: `${y} = ConvTranspose <group = 2, pads = [1,1,1,1]> (${x}, w${i}, b${i})`,
    weights: `float[8,4,3,3] w${i}, float[8] b${i}`,
  }),
  point: (i, x, y) => ({
    body: `${y} = ConvTranspose(${x}, w${i}, b${i})`,
    weights: `float[8,8,1,1] w${i}, float[8] b${i}`,
  }),
  relu: (_, x, y) => ({ body: `${y} = Relu(${x})`, weights: "" }),
  leaky: (_, x, y) => ({ body: `${y} = LeakyRelu <alpha = 0.2> (${x})`, weights: "" }),
  prelu: (i, x, y) => ({ body: `${y} = PRelu(${x}, s${i})`, weights: `float[8,1,1] s${i}` }),
  relu6: (i, x, y) => ({ body: `${y} = Clip(${x}, l${i}, h${i})`, weights: `float l${i} = {0}, float h${i} = {0.6}` }),
  clip: (i, x, y) => ({
    body: `${y} = Clip(${x}, l${i}, h${i})`,
    weights: `float l${i} = {-0.3}, float h${i} = {0.4}`,
  }),
  pad: (i, x, y) => ({
    body: `p${i} = Pad(${x}, q${i})\n ${y} = MaxPool <kernel_shape = [3,3]> (p${i})`,
    weights: `int64[8] q${i} = {0,0,1,1,0,0,1,1}`,
  }),
  zeros: (i, x, y) => ({
    body: `p${i} = Pad(${x}, q${i})\n ${y} = AveragePool <kernel_shape = [3,3]> (p${i})`,
    weights: `int64[8] q${i} = {0,0,1,1,0,0,1,1}`,
  }),
  average: (_, x, y) => ({
    body: `${y} = AveragePool <kernel_shape = [3,3], pads = [1,1,1,1], count_include_pad = 1> (${x})`,
    weights: "",
  }),
  residual: (i, x, y) => ({
    body: `c${i} = Conv(${x}, w${i}, b${i})\n r${i} = Relu(c${i})\n d${i} = Conv(r${i}, v${i})\n ${y} = Add(${x}, d${i})`,
    weights: `float[4,8,1,1] w${i}, float[4] b${i}, float[8,4,1,1] v${i}`,
  }),
  concat: (i, x, y) => ({
    body: `c${i} = Conv(${x}, w${i}, b${i})\n d${i} = Conv(${x}, v${i})\n ${y} = Concat <axis = 1> (c${i}, d${i})`,
    weights: `float[4,8,1,1] w${i}, float[4] b${i}, float[4,8,1,1] v${i}`,
  }),
  shuffle: (i, x, y) => ({
    body: `e${i} = Reshape(${x}, m${i})\n t${i} = Transpose <perm = [0,2,1,3,4]> (e${i})\n ${y} = Reshape(t${i}, n${i})`,
    weights: `int64[5] m${i} = {0,2,4,8,8}, int64[4] n${i} = {0,8,8,8}`,
  }),
  channels: (i, x, y) => ({
    body: `a${i}, z${i} = Split <axis = 1> (${x}, k${i})\n ${y} = Concat <axis = 1> (z${i}, a${i})`,
    weights: `int64[2] k${i} = {3,5}`,
  }),
  places: (i, x, y) => ({
    body: `a${i}, z${i} = Split <axis = 3> (${x}, k${i})\n ${y} = Concat <axis = 3> (z${i}, a${i})`,
    weights: `int64[2] k${i} = {3,5}`,
  }),
  added: (i, x, y) => ({ body: `${y} = Sub(${x}, a${i})`, weights: `float[8,1,1] a${i}` }),
  gate: (i, x, y) => ({
    body: `g${i} = GlobalAveragePool(${x})\n c${i} = Conv(g${i}, w${i})\n s${i} = Sigmoid(c${i})\n ${y} = Mul(${x}, s${i})`,
    weights: `float[8,8,1,1] w${i}`,
  }),
  sigmoid: (_, x, y) => ({ body: `${y} = Sigmoid(${x})`, weights: "" }),
  shared: (i, x, y) => ({
    body: `c${i} = Conv(${x}, w${i})\n r${i} = Relu(c${i})\n ${y} = Conv(r${i}, w${i})`,
    weights: `float[8,8,1,1] w${i}`,
  }),
  widened: (i, x, y) => ({
    body: `c${i} = Conv(${x}, w${i})\n p${i} = Pad(c${i}, q${i})\n ${y} = Add(${x}, p${i})`,
    weights: `float[4,8,1,1] w${i}, int64[8] q${i} = {0,2,0,0,0,2,0,0}`,
  }),
  rows: (i, x, y) => ({
    body: `f${i} = Flatten(${x})\n c${i} = Gemm <transB = 1> (f${i}, w${i}, b${i})\n r${i} = Relu(c${i})\n d${i} = Gemm(r${i}, v${i})\n ${y} = Reshape(d${i}, n${i})`,
    weights: `float[16,512] w${i}, float[16] b${i}, float[16,512] v${i}, int64[4] n${i} = {0,8,8,8}`,
  }),
  last: (i, x, y) => ({
    body: `t${i} = Transpose <perm = [0,2,3,1]> (${x})\n c${i} = MatMul(t${i}, w${i})\n a${i} = Add(c${i}, b${i})\n ${y} = Transpose <perm = [0,3,1,2]> (a${i})`,
    weights: `float[8,8] w${i}, float[8] b${i}`,
  }),
  unshuffled: (i, x, y) => ({
    body: `c${i} = Conv <strides = [2,2]> (${x}, w${i})\n r${i} = Relu(c${i})\n ${y} = DepthToSpace <blocksize = 2> (r${i})`,
    weights: `float[32,8,2,2] w${i}`,
  }),
};

/** Batch norms and what exporters make of them: there are none left in a normalised model. */
export const normBlocks: typeof blocks = {
  norm: (i, x, y) => ({
    body: `${y} = BatchNormalization(${x}, g${i}, be${i}, m${i}, var${i})`,
    weights: `float[8] g${i}, float[8] be${i}, float[8] m${i}, float[8] var${i}`,
  }),
  apart: (i, x, y) => ({
    body: `a${i} = Sub(${x}, m${i})\n c${i} = Div(a${i}, var${i})\n d${i} = Mul(g${i}, c${i})\n ${y} = Add(be${i}, d${i})`,
    weights: `float[8,1,1] g${i}, float[1,8,1,1] be${i}, float[8,1,1] m${i}, float[1,8,1,1] var${i}`,
  }),
  factor: (i, x, y) => ({ body: `${y} = Mul(${x}, var${i})`, weights: `float[1] var${i}` }),
};

/** The blocks one after the other, two heads behind them; every constant is drawn from the seed. */
export function graphOf(names: readonly string[], seed = 5): Model {
  const made = names.map((name, i) => (blocks[name] ?? normBlocks[name]!)(`${i}`, `x${i}`, `x${i + 1}`));
  const body = made.map(({ body }) => body).join("\n ");
  const weights = made.map(({ weights }) => weights).filter((w) => w !== "");
  const text = `<ir_version: 8, opset_import: ["": 17]> f (float[2,8,8,8] x0) => (float[2,5] y, float[2,8,1,1] g)
    <${[...weights, "float[5,8] head"].join(", ")}> {
    ${body}
    g = GlobalAveragePool(x${names.length})
    u = GlobalMaxPool(x${names.length})
    f = Flatten(u)
    y = Gemm <transB = 1> (f, head) }`;
  return parseModel(text, { seed, positive: names.map((_, i) => `var${i}`) });
}
