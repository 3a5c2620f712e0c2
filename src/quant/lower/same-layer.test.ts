/** Products under the names of their weights: how the forms of a model find each other. */
import { expect, test } from "vitest";
import { layersOf, recurrentLayers } from "../../facts/inner.ts";
import { parseModel } from "../../ir/inner.ts";
import { constantOperand, isProduct, ofSameLayer, productsByWeight } from "./same-layer.ts";

test("every product with a constant, in order; a weight has several where it is shared, and may stand in front", () => {
  const model = parseModel(
    `<ir_version: 8, opset_import: ["": 17, "com.example": 1, "com.microsoft": 1]> f (float[4,4] x) => (float[4,4] y) <float[4,4] w, float[4,4] v> {
      a = MatMul(x, w)
      b = MatMul(v, a)
      c = Gemm(b, w)
      d = MatMul(c, a)
      e = com.example.MatMul(d, v)
      f = com.microsoft.FusedMatMul(e, v)
      g = Unknown(f, v)
      h = Gemm(g, "")
      y = Add(h, v) }`,
    { seed: 1 },
  );
  const found = [...productsByWeight(model)].map(([name, nodes]) => [name, nodes.map((node) => node.output.name)]);
  expect(found).toEqual([
    ["w", ["a", "c"]],
    ["v", ["b"]],
  ]);
});

test("the constant of a product is its weight, or the other operand; of a recurrent operator W", () => {
  const model = parseModel(
    `<ir_version: 8, opset_import: ["": 17]> f (float[4,1,2] x, float[1,8,2] c) => (y)
     <float[1,8,2] w, float[1,8,2] r, float[2,2] v> {
      a = LSTM <hidden_size = 2> (x, w, r)
      b = LSTM <hidden_size = 2> (x, c, r)
      d = LSTM <hidden_size = 2> (x, "", r)
      e = MatMul("", v)
      f = MatMul(v, "")
      y = MatMul("", "") }`,
    { seed: 1 },
  );
  expect([...model.graph.nodes].map((node) => constantOperand(node)?.name)).toEqual([
    "w",
    undefined,
    undefined,
    "v",
    "v",
    undefined,
  ]);
});

test("layers of one weight are told apart by their order, products and recurrent ones", () => {
  const model = parseModel(
    `<ir_version: 8, opset_import: ["": 17]> f (float[4,1,2] x) => (y) <float[1,8,2] w, float[1,8,2] r, float[2,2] v, float[2,2] u> {
      a = LSTM <hidden_size = 2> (x, w, r)
      b, c = LSTM <hidden_size = 2> (x, w, r)
      d = MatMul(x, v)
      e = MatMul(d, v)
      o = Relu(e)
      y = MatMul(o, u) }`,
    { seed: 1 },
  );
  const known = new Map([
    ["w", ["a", "b"]],
    ["v", ["d", "e"]],
    ["u", ["y"]],
  ]);
  const products = layersOf(model.graph).filter(({ node }) => isProduct(node));
  expect(products.map((layer) => ofSameLayer(layer, known))).toEqual(["d", "e", "y"]);
  const recurrent = [...model.graph.nodes].flatMap(recurrentLayers).filter(({ weight }) => weight.value.name === "w");
  expect(recurrent.map((layer) => ofSameLayer(layer, known))).toEqual(["a", "b"]);
  const one = new Map([["w", ["a"]]]);
  expect(ofSameLayer(recurrent[0]!, one)).toBe("a");
  expect(() => ofSameLayer(recurrent[1]!, new Map())).toThrowError(
    expect.objectContaining({ code: "graph/not-found", detail: expect.objectContaining({ at: "w" }) }),
  );
});
