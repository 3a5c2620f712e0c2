/** What stands between a value and what a runtime would fuse with it, as text: where, with which type, under which names. */
import { describe, expect, test } from "vitest";
import { entry, linesOf, lowered, named, nodesOf, parse, typeOf } from "../../../test/hand-made-plan.ts";
import type { Model } from "../../ir/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { holdBlocks, holdFloatProducts, holdPools } from "./hold-float.ts";

const unnamed = (file: Model) => nodesOf(file).filter((node) => node.name === "");
const heldIn = (file: Model) => linesOf(file).filter((line) => line.includes("Max("));

describe("a pooling of floats in front of a quantizer", () => {
  const text = (input = "x") => `f (float[1,2,4,4] x) => (float[1,2,2,2] y, float[1,2,2,2] z) {
    r = Relu(x)
    p = MaxPool <kernel_shape = [2,2], strides = [2,2]> (${input})
    y = Relu(p)
    z = Neg(p) }`;

  test("is held for the quantizer alone, and every node has a name", () => {
    const one = { ...entry("p", "activation", "uint8"), floatReaders: ["z"] };
    const file = lowered(parse(text()), one);
    expect(linesOf(file)).toEqual([
      "r = Relu(x)",
      "p = MaxPool(x)",
      "p_held = Max(p)",
      "p_quantized = QuantizeLinear(p_held, p_scale, p_zero_point)",
      "p_dequantized = DequantizeLinear(p_quantized, p_scale, p_zero_point)",
      "y = Relu(p_dequantized)",
      "z = Neg(p)",
    ]);
    expect(unnamed(file)).toEqual([]);
    expect(typeOf(file, "p_held")).toBe(typeOf(file, "p"));
  });

  test("of dequantized numbers it is not, nor one that no quantizer reads", () => {
    const both = [entry("r", "activation", "uint8"), entry("p", "activation", "uint8")];
    expect(heldIn(lowered(parse(text("r")), ...both))).toEqual([]);
    expect(heldIn(lowered(parse(text()), entry("r", "activation", "uint8")))).toEqual([]);
  });
});

describe("a weight in blocks", () => {
  const text = "f (float[2,4] x) => (float[2,6] y) <float[4,6] w> { y = MatMul(x, w) }";
  const blocks = { granularity: { kind: "block", axis: 0, size: 2, channelAxis: 1 } } as const;
  const file = (grid: string) =>
    lowered(
      parse(text),
      entry("w", "weight", grid, {
        ...blocks,
        scale: Array(12).fill(0.5),
        offset: Array(12).fill(grid === "int8" ? -128 : -8),
      }),
    );

  test("of 8 bits is held behind its DequantizeLinear, typed and named", () => {
    expect(linesOf(file("int8"))).toEqual([
      "w_dequantized = DequantizeLinear(w_quantized, w_scale, w_zero_point)",
      "w_dequantized_held = Max(w_dequantized)",
      "y = MatMul(x, w_dequantized_held)",
    ]);
    expect(typeOf(file("int8"), "w_dequantized_held")).toBe("float32[4,6]");
    expect(unnamed(file("int8"))).toEqual([]);
  });

  test("of 4 bits is not, nor one without blocks", () => {
    expect(heldIn(file("int4"))).toEqual([]);
    expect(heldIn(lowered(parse(text), entry("w", "weight", "int8")))).toEqual([]);
  });
});

describe("a product in float of dequantized numbers", () => {
  const conv = (
    before = "",
    input = "x",
  ) => `f (float[1,2,4,4] x) => (float y) <float[2,2,1,1] w, int64[8] n = {0,0,1,1,0,0,1,1}> {
    ${before} y = Conv(${input}, w) }`;
  const quantized = entry("x", "activation", "uint8");

  test("is held in front of its input, and in front of its padding", () => {
    const file = lowered(parse(conv()), quantized);
    expect(linesOf(file).slice(-2)).toEqual([
      "x_dequantized_float = Max(x_dequantized)",
      "y = Conv(x_dequantized_float, w)",
    ]);
    expect(typeOf(file, "x_dequantized_float")).toBe("float32[1,2,4,4]");
    expect(unnamed(file)).toEqual([]);
    expect(linesOf(lowered(parse(conv("p = Pad(x, n)", "p")), quantized)).slice(-3)).toEqual([
      "x_dequantized_float = Max(x_dequantized)",
      "p = Pad(x_dequantized_float, n)",
      "y = Conv(p, w)",
    ]);
  });

  test("past what moves data and past a pooling, but not past what computes", () => {
    const past = (body: string) => heldIn(lowered(parse(conv(`p = ${body}`, "p")), quantized));
    expect(past("Transpose <perm = [0,1,3,2]> (x)")).toEqual(["p_float = Max(p)"]);
    expect(past("MaxPool <kernel_shape = [2,2]> (x)")).toEqual(["p_float = Max(p)"]);
    expect(past("Neg(x)")).toEqual([]);
  });

  test("a MatMul only in front of an Add, a weight in half precision like any other", () => {
    const product = (end: string) => `f (float[2,4] x) => (float y) <float[4,6] w, float[6] b> { ${end} }`;
    const alone = product("y = MatMul(x, w)");
    const added = product("m = MatMul(x, w) y = Add(m, b)");
    expect(heldIn(lowered(parse(alone), quantized))).toEqual([]);
    expect(heldIn(lowered(parse(added), quantized))).toHaveLength(1);
    expect(heldIn(lowered(parse(added), quantized, entry("w", "weight", "float16")))).toHaveLength(1);
    expect(heldIn(lowered(parse(added), quantized, entry("w", "weight", "int8")))).toEqual([]);
  });

  test("a product with several matrices, where they have scales per channel", () => {
    const text = "f (float[1,2,3] x) => (float y) <float[1,3,4] w> { y = MatMul(x, w) }";
    const channels = {
      granularity: { kind: "channel", axis: 2 },
      scale: [1, 2, 3, 4],
      offset: Array(4).fill(-128),
    } as const;
    expect(heldIn(lowered(parse(text), quantized, entry("w", "weight", "int8", channels)))).toHaveLength(1);
    expect(heldIn(lowered(parse(text), quantized, entry("w", "weight", "int8")))).toEqual([]);
    const flat = text.replace("[1,3,4]", "[3,4]");
    const axis1 = { ...channels, granularity: { kind: "channel", axis: 1 } } as const;
    expect(heldIn(lowered(parse(flat), quantized, entry("w", "weight", "int8", axis1)))).toEqual([]);
  });

  test("a Softmax whose step is less than 1/256", () => {
    const text = "f (float[2,4] x) => (float y) { s = Softmax(x) y = Neg(s) }";
    const step = (scale: number) =>
      heldIn(lowered(parse(text), quantized, entry("s", "activation", "uint8", { scale: [scale], offset: [0] })));
    expect(step(1 / 257)).toHaveLength(1);
    expect(step(1 / 256)).toEqual([]);
    expect(heldIn(lowered(parse(text), quantized))).toEqual([]);
  });
});

test("an output that the plan leaves the float keeps its name, and others read the rounded one", () => {
  const text = "f (float[2,4] x) => (float[2,4] y, float[2,4] z) { y = Relu(x) z = Neg(y) }";
  const file = lowered(parse(text), { ...entry("y", "activation", "uint8"), floatReaders: ["y"] });
  expect(linesOf(file)).toEqual([
    "y = Relu(x)",
    "y_quantized = QuantizeLinear(y, y_scale, y_zero_point)",
    "y_dequantized = DequantizeLinear(y_quantized, y_scale, y_zero_point)",
    "z = Neg(y_dequantized)",
  ]);
  expect(named(file, "y")!.isGraphOutput).toBe(true);
});

describe("in files that are written by hand", () => {
  const file = (body: string) =>
    parse(`f (float[1,2,4,4] x, uint8[1,2,4,4] q, int8[2,2,1,1] iv, float[2,2,1,1] wf) => (float y)
      <float s = {0.001}, float[2,1,1,1] ss, uint8 z = {0}, int8 n = {0}, int8[2,1,1,1] nn = {0, 0}, int8[2,2,1,1] v, float[2,2,1,1] w, float small = {0.001}, int64[8] p = {0,0,1,1,0,0,1,1}>
      { d = DequantizeLinear(q, s, z) ${body} }`);
  const products = (body: string) => holdFloatProducts(file(body).graph);

  test("products of other domains, of computed weights and of integers are left", () => {
    expect(products("y = Conv(d, w)")).toBe(1);
    expect(products("y = com.microsoft.Conv(d, w)")).toBe(0);
    expect(products("y = Conv(d, wf)")).toBe(0);
    expect(products("t = DequantizeLinear(v, s, n) y = Conv(d, t)")).toBe(0);
    expect(products("t = Cast <to = 1> (v) y = Conv(d, t)"), "integers behind a Cast").toBe(0);
    expect(products("y = Add(d, w)")).toBe(0);
    expect(products("m = MatMul(d, w) y = Sub(m, w)")).toBe(0);
    expect(products("m = MatMul(d, w) y = Add(m, w)")).toBe(1);
    expect(products("m = MatMul(d, wf) y = Add(m, w)")).toBe(0);
    expect(products("t = DequantizeLinear(iv, s, n) y = MatMul(d, t)"), "no constant").toBe(0);
    expect(products("t = DequantizeLinear <axis = 0> (v, ss, nn) y = MatMul(d, t)"), "several matrices").toBe(1);
    expect(products("t = DequantizeLinear <axis = 0> (v, ss, nn) y = Conv(d, t)"), "which a convolution has").toBe(0);
    expect(products("a = com.microsoft.Softmax(d) b = QuantizeLinear(a, small, z) y = Cast <to = 1> (b)")).toBe(0);
  });

  test("operators without their inputs are left as they are", () => {
    for (const body of [
      "y = Conv(d)",
      "y = MatMul(d)",
      "y = Gemm()",
      "m = MatMul() y = Add(m, w)",
      `t = DequantizeLinear("", ss, nn) y = MatMul(d, t)`,
      "t = DequantizeLinear(v, x, nn) y = MatMul(q, t)",
      "t = Cast <to = 1> () y = Conv(d, t)",
      "a = Softmax(d) b = QuantizeLinear(a) y = Cast <to = 1> (b)",
      "a = Pad() y = Conv(a, w)",
    ])
      expect(products(body), body).toBe(0);
    expect(products("t = DequantizeLinear(v) y = MatMul(d, t)"), "not known to be one scale").toBe(1);
    const blocks = file(`k = QuantizeLinear("", s, z) y = Cast <to = 1> (k)`);
    expect([holdBlocks(blocks.graph), holdPools(file("y = MaxPool <kernel_shape = [2,2]> ()").graph)]).toEqual([0, 0]);
  });

  test("a padding that others read stays in front of the Max", () => {
    const shared = file("a = Pad(d, p) e = Neg(a) c = Conv(a, w) y = Add(c, e)");
    expect(holdFloatProducts(shared.graph)).toBe(1);
    expect(heldIn(shared)).toEqual(["a_float = Max(a)"]);
    const own = file("a = Pad(d, p) y = Conv(a, w)");
    holdFloatProducts(own.graph);
    expect(heldIn(own)).toEqual(["d_float = Max(d)"]);
  });

  test("a Softmax counts where one of its readers is a quantizer with a fine step", () => {
    expect(products("a = Softmax(d) b = QuantizeLinear(a, small, z) e = Neg(a) y = Cast <to = 1> (b)")).toBe(1);
    expect(products("a = Softmax(d) y = Mul(a, small)")).toBe(0);
    expect(products("a = Relu(d) b = QuantizeLinear(a, small, z) y = Cast <to = 1> (b)")).toBe(0);
    expect(products("a = Softmax(d) t = Relu(s) b = QuantizeLinear(a, t, z) y = Cast <to = 1> (b)")).toBe(0);
  });

  test("blocks by what says that they are 8 bits wide, in the standard domain alone, and where somebody reads them", () => {
    const blocks = (body: string) => holdBlocks(file(body).graph);
    const read = (body: string) => blocks(`${body} y = Neg(k)`);
    expect(read("k = DequantizeLinear <axis = 0, block_size = 1> (v, ss, nn)")).toBe(1);
    expect(read("k = DequantizeLinear <axis = 0, block_size = 1> (v, ss)")).toBe(0);
    expect(read("t = Identity(nn) k = DequantizeLinear <axis = 0, block_size = 1> (v, ss, t)")).toBe(0);
    expect(read("k = com.microsoft.DequantizeLinear <axis = 0, block_size = 1> (v, ss, nn)")).toBe(0);
    expect(read("k = Custom <block_size = 1> (v, ss, nn)")).toBe(0);
    expect(blocks("y = DequantizeLinear <axis = 0, block_size = 1> (v, ss, nn)")).toBe(0);
  });

  test("quantizers to float8 and from it, but not those of integers", () => {
    const held = (body: string, dtype: "float8e4m3fn" | "uint8") => {
      const { graph } = file(body);
      graph.valuesByName().get("z")!.initializer = Tensor.of(dtype, [], Uint8Array.of(0));
      const count = holdBlocks(graph);
      const lines = [...graph.nodes]
        .filter(({ op }) => op === "Max")
        .map((node) => `${node.output.name}: ${node.input(0)!.name}`);
      return [count, ...lines];
    };
    const pair = "k = QuantizeLinear(x, s, z) r = DequantizeLinear(k, s, z) y = Neg(r)";
    expect(held(pair, "float8e4m3fn")).toEqual([2, "x_float: x", "r_held: r"]);
    expect(held(pair, "uint8")).toEqual([0]);
    expect(held("k = com.microsoft.QuantizeLinear(x, s, z) y = Neg(x)", "float8e4m3fn")).toEqual([0]);
  });

  test("poolings in the standard domain alone", () => {
    const pools = (op: string) =>
      holdPools(file(`a = ${op} <kernel_shape = [2,2]> (x) b = QuantizeLinear(a, s, z) y = Cast <to = 1> (b)`).graph);
    expect(["MaxPool", "com.microsoft.MaxPool", "AveragePool"].map(pools)).toEqual([1, 0, 0]);
    const integers = (op: string) =>
      holdPools(
        file(`i = QuantizeLinear(x, s, z) r = DequantizeLinear(i, s, z) a = ${op} <kernel_shape = [2,2]> (r)
          b = QuantizeLinear(a, s, z) y = DequantizeLinear(b, s, z)`).graph,
      );
    expect(["MaxPool", "com.microsoft.AveragePool", "AveragePool"].map(integers)).toEqual([0, 0, 1]);
  });
});
