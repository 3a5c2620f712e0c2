import { expect, test } from "vitest";
import { parseModel } from "../../ir/inner.ts";
import { findBlocks } from "./blocks.ts";

/** The blocks of a graph in ONNX text, each as the outputs of its layers and, behind an arrow, its own. */
function blocksOf(text: string, options: { granularity?: "block" | "layer"; most?: number } = {}): string[] {
  const blocks = findBlocks(parseModel(text, { seed: 1 }), { types: new Map(), ...options });
  return blocks.map(
    ({ layers, outputs }) => `${layers.map((node) => node.output.name).join(" ")} → ${outputs.join(" ")}`,
  );
}

const conv = (y: string, x: string, w: string) => `${y} = Conv<pads=[1,1,1,1]>(${x}, ${w})`;

const residual = `net (float[1,4,8,8] x) => (float[1,3] y) <float[4,4,3,3] w1, float[4,4,3,3] w2, float[4,4,3,3] w3, float[4,3] w4> {
  ${conv("c1", "x", "w1")}
  r1 = Relu(c1)
  ${conv("c2", "r1", "w2")}
  r2 = Relu(c2)
  ${conv("c3", "r2", "w3")}
  s = Add(c3, r1)
  r3 = Relu(s)
  p = GlobalAveragePool(r3)
  f = Flatten(p)
  y = Gemm(f, w4)
}`;

test("a residual connection holds its layers together, with the activation behind the sum", () => {
  expect(blocksOf(residual)).toEqual(["c1 → r1", "c2 c3 → r3", "y → y"]);
});

test("layer by layer each one has what follows it alone", () => {
  expect(blocksOf(residual, { granularity: "layer" })).toEqual(["c1 → r1", "c2 → r2", "c3 → c3", "y → y"]);
});

test("a connection over more layers than a block may have is carried along, and its origin is an output of its block", () => {
  const text = `net (float[1,4,8,8] x) => (float[1,8,8,8] y) <float[4,4,3,3] w1, float[4,4,3,3] w2, float[4,4,3,3] w3, float[4,4,3,3] w4, float[8,8,3,3] w5> {
    ${conv("c1", "x", "w1")}
    ${conv("c2", "c1", "w2")}
    ${conv("c3", "c2", "w3")}
    ${conv("c4", "c3", "w4")}
    k = Concat<axis=1>(c4, c1)
    ${conv("y", "k", "w5")}
  }`;
  expect(blocksOf(text, { most: 2 })).toEqual(["c1 → c1", "c2 → c2", "c3 → c3", "c4 → c4", "y → y"]);
  // With room for three layers under it, the connection is one of a block.
  expect(blocksOf(text, { most: 4 })).toEqual(["c1 → c1", "c2 c3 c4 → k", "y → y"]);
});

test("depthwise joins pointwise, and the widening layer before it", () => {
  const text = `net (float[1,4,8,8] x) => (float[1,4,8,8] y) <float[4,1,3,3] d1, float[4,4,1,1] p1, float[12,4,1,1] e2, float[12,1,3,3] d2, float[4,12,1,1] p2> {
    a = Conv<group=4, pads=[1,1,1,1]>(x, d1)
    ar = Relu(a)
    b = Conv(ar, p1)
    c = Conv(b, e2)
    cr = Relu(c)
    d = Conv<group=12, pads=[1,1,1,1]>(cr, d2)
    dr = Relu(d)
    y = Conv(dr, p2)
  }`;
  expect(blocksOf(text)).toEqual(["a b → b", "c d y → y"]);
});

test("an attention and the feed-forward part behind it are one block", () => {
  const text = `net (float[1,5,4] x) => (float[1,5,4] y) <float[4,4] q, float[4,4] k, float[4,4] v, float[4,4] o, float[4,8] up, float[8,4] down> {
    a = MatMul(x, q)
    b = MatMul(x, k)
    c = MatMul(x, v)
    bt = Transpose<perm=[0,2,1]>(b)
    s = MatMul(a, bt)
    p = Softmax(s)
    h = MatMul(p, c)
    m = MatMul(h, o)
    r = Add(m, x)
    u = MatMul(r, up)
    g = Relu(u)
    d = MatMul(g, down)
    y = Add(d, r)
  }`;
  expect(blocksOf(text)).toEqual(["a b c m u d → y"]);
  expect(blocksOf(text, { most: 5 })).toEqual(["a b c m → r", "u d → y"]);
});

test("branches with more layers than a block may have fall back to single layers", () => {
  const text = `net (float[1,4,8,8] x) => (float[1,4,8,8] y) <float[4,4,3,3] w1, float[4,4,3,3] w2, float[4,4,3,3] w3> {
    ${conv("a", "x", "w1")}
    ar = Relu(a)
    ${conv("b", "x", "w2")}
    ${conv("c", "x", "w3")}
    y = Sum(ar, b, c)
  }`;
  expect(blocksOf(text)).toEqual(["a b c → y"]);
  expect(blocksOf(text, { most: 2 })).toEqual(["a → ar", "b → b", "c → c"]);
});
