/** ATen's convolutions, matrix products and attention. */
import type { Value } from "../../../ir/inner.ts";
import { lengthsOf, type Term } from "../../channels-last/term.ts";
import type { Call, Row } from "../call.ts";

/** One number for each axis, or one for all. */
function perAxis(c: Call, name: string, axes: number, otherwise: number): readonly number[] {
  const given = c.ints(name, []);
  if (given.length === axes) return given;
  return new Array<number>(axes).fill(given[0] ?? otherwise);
}

const conv: Row = (c) => {
  const [input, weight] = [c.t("input"), c.t("weight")];
  const axes = weight.shape.length - 2;
  const kernel = lengthsOf(weight.shape.slice(2));
  if (!kernel) throw c.fail("a kernel whose size depends on the input");
  const [strides, dilations] = [perAxis(c, "stride", axes, 1), perAxis(c, "dilation", axes, 1)];
  const groups = c.number("groups", 1);
  const isTransposed = /conv_transpose/.test(c.node.target) || c.bool("transposed", false);
  const begin = c.text("padding", "") === "" ? perAxis(c, "padding", axes, 0) : undefined;
  // "same" pads what the kernel needs, the odd one behind; "valid" nothing.
  const total = kernel.map((size, i) => (c.text("padding", "") === "same" ? dilations[i]! * (size - 1) : 0));
  const pads = begin
    ? [...begin, ...begin]
    : [...total.map((all) => Math.floor(all / 2)), ...total.map((all) => all - Math.floor(all / 2))];
  // A batch axis that is not there.
  const isSingle = input.shape.length === axes + 1;
  const x = isSingle ? c.emit("Unsqueeze", [input, c.e.ints([0])]).output : c.value(input);
  const output = perAxis(c, "output_padding", axes, 0);
  const { output: y } = c.emit(isTransposed ? "ConvTranspose" : "Conv", [x, weight, c.maybe("bias")], {
    kernel_shape: [...kernel],
    strides: [...strides],
    dilations: [...dilations],
    pads,
    group: groups,
    ...(isTransposed && output.some((n) => n !== 0) ? { output_padding: [...output] } : {}),
  });
  return isSingle ? c.give("Squeeze", [y, c.e.ints([0])]) : c.wrap(y);
};

/** x · Wᵀ + b. */
const linear: Row = (c) => {
  const [input, weight, bias] = [c.t("input"), c.t("weight"), c.maybe("bias")];
  if (weight.shape.length !== 2) throw c.fail("a weight that is no matrix");
  if (input.shape.length === 2 && bias) return c.give("Gemm", [input, weight, bias], { transB: 1 });
  const product = c.emit("MatMul", [input, c.e.value(weight, [1, 0])]).output;
  return bias ? c.give("Add", [product, bias]) : c.wrap(product);
};

const matmul =
  (a = "self", b = "other"): Row =>
  (c) =>
    c.give("MatMul", [c.t(a), c.t(b)]);

/** beta · self + alpha · a · b. */
const addmm =
  (a: string, b: string): Row =>
  (c) => {
    const { dtype } = c.out();
    const [alpha, beta] = [c.number("alpha", 1), c.number("beta", 1)];
    if (c.t(a).shape.length === 2 && c.t(b).shape.length === 2) {
      return c.give("Gemm", [c.t(a), c.t(b), c.t("self")], { alpha, beta });
    }
    let product = c.emit("MatMul", [c.t(a), c.t(b)]).output;
    if (alpha !== 1) product = c.emit("Mul", [product, c.scalar(alpha, dtype)]).output;
    if (beta === 0) return c.wrap(product);
    const self = beta === 1 ? c.value(c.t("self")) : c.emit("Mul", [c.t("self"), c.scalar(beta, dtype)]).output;
    return c.give("Add", [self, product]);
  };

const einsum: Row = (c) =>
  c.give("Einsum", c.list("tensors"), { equation: c.text("equation", "").replaceAll(" ", "") });

/** The lowest number of a type: −∞ would turn a row in which nothing may be looked at into NaN. */
const lowest = -3.4028234663852886e38;

/** 1 where a query may look at a key, both counted from the start. */
function causal(c: Call, query: Term, key: Term): Value {
  const [q, k] = [c.length(query, query.shape.length - 2), c.length(key, key.shape.length - 2)];
  const range = (length: number | Value) =>
    c.emit("Range", [c.e.numbers(0), typeof length === "number" ? c.e.numbers(length) : length, c.e.numbers(1)]).output;
  const rows = c.emit("Unsqueeze", [range(q), c.e.ints([1])]).output;
  return c.emit("LessOrEqual", [range(k), rows]).output;
}

/** Heads of keys and values, each repeated for the queries that share it. */
function shared(c: Call, term: Term, heads: number): Value {
  const own = term.shape[1];
  if (own === heads) return c.value(term);
  if (typeof own !== "number" || heads % own !== 0) throw c.fail("heads that do not share keys evenly");
  const [batch, , length, size] = term.shape.map((_, i) => c.length(term, i));
  const wide = c.emit("Unsqueeze", [term, c.e.ints([2])]).output;
  const many = c.emit("Expand", [wide, c.vector([1, 1, heads / own, 1, 1])]).output;
  return c.emit("Reshape", [many, c.vector([batch!, heads, length!, size!])]).output;
}

/** softmax(q · kᵀ · scale + mask) · v. */
function attention(c: Call): Value {
  const [query, key, value] = [c.t("query"), c.t("key"), c.t("value")];
  const { dtype } = query;
  const rank = query.shape.length;
  const size = query.shape.at(-1);
  const heads = query.shape[1];
  const isGrouped = c.bool("enable_gqa", false) && rank === 4 && typeof heads === "number";
  const [k, v] = isGrouped
    ? [
        c.e.term(shared(c, key, heads as number), dtype, [key.shape[0]!, heads!, ...key.shape.slice(2)]),
        shared(c, value, heads as number),
      ]
    : [key, c.value(value)];
  if (typeof size !== "number") throw c.fail("heads whose size depends on the input");
  const scale = c.has("scale") ? c.number("scale") : 1 / Math.sqrt(size);
  const perm = query.shape.map((_, i) => i);
  perm[rank - 1] = rank - 2;
  perm[rank - 2] = rank - 1;
  const turned = c.transpose(k, perm);
  const scaled = c.emit("Mul", [query, c.scalar(scale, dtype)]).output;
  let scores = c.emit("MatMul", [scaled, turned]).output;
  const mask = c.maybe("attn_mask");
  if (mask?.dtype === "bool") scores = c.emit("Where", [mask, scores, c.scalar(lowest, dtype)]).output;
  else if (mask) scores = c.emit("Add", [scores, mask]).output;
  if (c.bool("is_causal", false)) {
    scores = c.emit("Where", [causal(c, query, key), scores, c.scalar(lowest, dtype)]).output;
  }
  return c.emit("MatMul", [c.emit("Softmax", [scores], { axis: -1 }).output, v]).output;
}

export const linearRows: Readonly<Record<string, Row>> = {
  conv1d: conv,
  conv2d: conv,
  conv3d: conv,
  convolution: conv,
  conv_transpose1d: conv,
  conv_transpose2d: conv,
  conv_transpose3d: conv,
  linear,
  matmul: matmul(),
  mm: matmul("self", "mat2"),
  bmm: matmul("self", "mat2"),
  mv: matmul("self", "vec"),
  dot: matmul("self", "tensor"),
  addmm: addmm("mat1", "mat2"),
  baddbmm: addmm("batch1", "batch2"),
  addbmm: (c) => {
    throw c.fail("a sum over a batch of products");
  },
  einsum,
  outer: (c) => c.give("Mul", [c.emit("Unsqueeze", [c.t("self"), c.e.ints([1])]).output, c.t("vec2")]),
  scaled_dot_product_attention: (c) => c.wrap(attention(c)),
  _scaled_dot_product_flash_attention_for_cpu: (c) => [c.wrap(attention(c))],
  _scaled_dot_product_attention_math: (c) => [c.wrap(attention(c))],
};
