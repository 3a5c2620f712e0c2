/** Files that are read from disk, those of other tools among them: where quantizers are, what is a product, where weights lie. */
import { describe, expect, test } from "vitest";
import { parseModel } from "../../ir/inner.ts";
import { readShipped } from "./read-shipped.ts";

const file = (body: string, outputs = "float[2,4] y") =>
  readShipped(
    parseModel(
      `<ir_version: 10, opset_import: ["" : 21, "com.microsoft" : 1]>
       f (float[2,4] x, uint8[2,4] u, float[4,4] g) => (${outputs})
       <float s = {0.1}, uint8 z = {3}, int8 n = {0}, int8[4,4] q, float[4,4] w, float16[4,4] h, uint8[4,1,2] packed, float[4,1] scales,
        float other = {0.0}, float x_lowest = {-1.0}, float x_highest = {1.0}, uint8 q_lowest = {0}, uint8 q_highest = {15}> { ${body} }`,
      { seed: 1 },
    ),
  );
const inOut = (body: string, name: string, outputs?: string) => {
  const found = file(body, outputs).of(name);
  return found && [found.float?.name, found.quantized?.name, found.dequantized?.name];
};

describe("an activation", () => {
  test("with a quantizer behind it, directly or past a Max of one input, or a Clip to its grid", () => {
    const pair = (from: string) => `q8 = QuantizeLinear(${from}, s, z) d = DequantizeLinear(q8, s, z) y = Relu(d)`;
    expect(inOut(pair("x"), "x")).toEqual(["x", "q8", "d"]);
    expect(inOut(`m = Max(x) ${pair("m")}`, "x")).toEqual(["x", "q8", "d"]);
    expect(inOut(`m = Clip(x, x_lowest, x_highest) ${pair("m")}`, "x")).toEqual(["x", "q8", "d"]);
    expect(inOut(`m = Max(x, x_lowest) ${pair("m")}`, "x"), "which changes it").toEqual(["x", undefined, undefined]);
    expect(inOut(`m = Clip(x, other, x_highest) ${pair("m")}`, "x"), "the model's own").toEqual([
      "x",
      undefined,
      undefined,
    ]);
    expect(inOut(`m = Relu(x) ${pair("m")}`, "x")).toEqual(["x", undefined, undefined]);
  });

  test("whose integers are clipped", () => {
    const body =
      "q8 = QuantizeLinear(x, s, z) c = Clip(q8, q_lowest, q_highest) d = DequantizeLinear(c, s, z) y = Relu(d)";
    expect(inOut(body, "x")).toEqual(["x", "q8", "d"]);
  });

  test("which others read as well, as a scale or in front of a Max of their own", () => {
    const none = ["x", undefined, undefined];
    expect(inOut("q8 = QuantizeLinear(g, x, z) d = DequantizeLinear(q8, s, z) y = Relu(d)", "x")).toEqual(none);
    expect(
      inOut("m = Max(x) q8 = QuantizeLinear(m, s, z) d = DequantizeLinear(q8, s, z) e = Neg(m) y = Add(d, e)", "x"),
    ).toEqual(none);
    expect(inOut("m = Max(x) y = Neg(m)", "x")).toEqual(none);
    expect(inOut("m = Max(x) y = Identity(x)", "x")).toEqual(none);
    expect(inOut("m = Max(x) i = Cast <to = 2> (m) y = DequantizeLinear(i, s, z)", "x")).toEqual(none);
    expect(inOut("m = Clip(g, x, x_highest) q8 = QuantizeLinear(m, s, z) y = DequantizeLinear(q8, s, z)", "x")).toEqual(
      none,
    );
  });

  test("whose integers nobody turns back is none", () => {
    expect(inOut("q8 = QuantizeLinear(x, s, z) y = Cast <to = 1> (q8)", "x")).toEqual(["x", undefined, undefined]);
    expect(inOut("c = Cast <to = 10> (x) e = Neg(c) y = Cast <to = 1> (e)", "x")).toEqual(["x", undefined, undefined]);
  });

  test("in half precision, but not in other types", () => {
    const casts = (to: number) => `c = Cast <to = ${to}> (x) d = Cast <to = 1> (c) y = Relu(d)`;
    expect(inOut(casts(10), "x")).toEqual(["x", "c", "d"]);
    expect(inOut(casts(16), "x")).toEqual(["x", "c", "d"]);
    expect(inOut(casts(6), "x")).toEqual(["x", undefined, undefined]);
    expect(inOut("c = QuantizeLinear <saturate = 10> (x, s, z) d = Cast <to = 1> (c) y = Relu(d)", "x")).toEqual([
      "x",
      undefined,
      undefined,
    ]);
  });

  test("that is an output and comes out of a quantizer", () => {
    const out = (body: string) => inOut(body, "y");
    expect(out("r = Relu(x) q8 = QuantizeLinear(r, s, z) y = DequantizeLinear(q8, s, z)")).toEqual(["r", "q8", "y"]);
    expect(out("r = Relu(x) m = Max(r) q8 = QuantizeLinear(m, s, z) y = DequantizeLinear(q8, s, z)")).toEqual([
      "r",
      "q8",
      "y",
    ]);
    expect(out("q8 = QuantizeLinear(x, s, z) c = Clip(q8, q_lowest, q_highest) y = DequantizeLinear(c, s, z)")).toEqual(
      ["x", "q8", "y"],
    );
    expect(out("r = Relu(x) h16 = Cast <to = 10> (r) y = Cast <to = 1> (h16)")).toEqual(["r", "h16", "y"]);
    expect(out("i = Cast <to = 6> (x) y = Cast <to = 1> (i)")).toEqual(["y", undefined, undefined]);
    expect(out("y = Cast <to = 1> (u)")).toEqual(["y", undefined, undefined]);
    expect(out("y = DequantizeLinear(u, s, z)")).toEqual(["y", undefined, undefined]);
    expect(out("e = Add(u, u) y = DequantizeLinear(e, s, z)")).toEqual(["y", undefined, undefined]);
  });

  test("that the file lacks", () => expect(file("y = Relu(x)").of("gone")).toBeUndefined());
});

describe("a product", () => {
  const products = (body: string) =>
    file(body).products.map(({ nodes, weight }) => [nodes.map(({ op }) => op).join(), weight?.name]);

  test("and the constant with its weight", () => {
    expect(products("y = MatMul(x, w)")).toEqual([["MatMul", "w"]]);
    expect(products("d = DequantizeLinear(q, s, n) y = MatMul(x, d)")).toEqual([["MatMul", "q"]]);
    expect(products("d = DequantizeLinear(q, s, n) m = Max(d) y = MatMul(x, m)")).toEqual([["MatMul", "q"]]);
    expect(products("d = DequantizeLinear(q, s, n) m = Max(d, x_lowest) y = MatMul(x, m)")).toEqual([
      ["MatMul", undefined],
    ]);
    expect(products("c = Cast <to = 3> (q) d = DequantizeLinear(c, s, n) y = MatMul(x, d)")).toEqual([["MatMul", "q"]]);
    expect(products("c = Cast <to = 1> (h) y = MatMul(x, c)")).toEqual([["MatMul", "h"]]);
    expect(products("d = DequantizeLinear(q, s, n) y = MatMul(d, g)")).toEqual([["MatMul", "q"]]);
    expect(products("y = MatMul(x, g)")).toEqual([["MatMul", undefined]]);
    expect(products("r = Relu(g) y = MatMul(x, r)")).toEqual([["MatMul", undefined]]);
  });

  test("of a recurrent operator W, and no constant that stands elsewhere", () => {
    const lstm = (w: string) => `k = LSTM <hidden_size = 1> (x, ${w}, w) y = Neg(k)`;
    expect(products(`d = DequantizeLinear(q, s, n) ${lstm("d")}`)).toEqual([["LSTM", "q"]]);
    expect(products(lstm("g"))).toEqual([["LSTM", undefined]]);
  });

  test("in the form that a target asked for", () => {
    const body = "y = com.microsoft.MatMulNBits <K = 4, N = 4, bits = 4, block_size = 4> (x, packed, scales)";
    expect(products(body)).toEqual([["MatMulNBits", "packed"]]);
    expect(products("y = Add(x, x)")).toEqual([]);
  });
});
