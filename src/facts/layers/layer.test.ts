import { describe, expect, test } from "vitest";
import { isRefused } from "../../base/inner.ts";
import { parseModel } from "../../ir/inner.ts";
import { type Layer, layerAt, layerOf, layersOf, productAt } from "./layer.ts";
import { matrixOf, weightOf } from "./matrix.ts";

const header = (constants: string) =>
  `<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]> g (float[1,4,6,6] x, float[3,4] r) => (y) <${constants}>`;

function first(constants: string, body: string): Layer {
  const [layer] = layersOf(parseModel(`${header(constants)} { ${body} }`, { seed: 1 }).graph);
  return layer!;
}

describe("axes of a weight", () => {
  test.each([
    ["float[6,4,3,3] w", "y = Conv(x, w)", { out: 0, in: [1, 2, 3], groups: 1, outputs: 6, inputs: 4 }],
    ["float[6,2,3,3] w", "y = Conv <group = 2> (x, w)", { out: 0, in: [1, 2, 3], groups: 2, outputs: 6, inputs: 4 }],
    [
      "float[4,3,2,2] w",
      "y = ConvTranspose <group = 2> (x, w)",
      { out: 1, in: [0, 2, 3], groups: 2, outputs: 6, inputs: 4 },
    ],
    ["float[4,5] w", "y = Gemm(r, w)", { out: 1, in: [0], groups: 1, outputs: 5, inputs: 4 }],
    ["float[5,4] w", "y = Gemm <transB = 1> (r, w)", { out: 0, in: [1], groups: 1, outputs: 5, inputs: 4 }],
    ["float[4,5] w", "y = MatMul(r, w)", { out: 1, in: [0], groups: 1, outputs: 5, inputs: 4 }],
    ["float[2,4,5] w", "y = MatMul(r, w)", { out: 2, in: [1], groups: 1, outputs: 5, inputs: 4 }],
  ])("%s %s", (weight, body, axes) => {
    expect(first(weight, body).axes).toEqual(axes);
  });

  test.each([
    ["float[4] w", "y = MatMul(r, w)", /no matrix/],
    ["float[5,4,3,3] w", "y = Conv <group = 2> (x, w)", /does not fit its groups/],
  ])("a weight that does not fit is a layer without axes: %s", (weight, body, reason) => {
    const { axes, matrix, bias } = first(weight, body);
    for (const part of [axes, matrix, bias]) expect(part).toEqual({ refused: expect.stringMatching(reason) });
  });
});

describe("the matrix of a weight", () => {
  test("rows are outputs: the transposed forms hold the same matrix", () => {
    const a = first("float[2,3] w = {1, 2, 3, 4, 5, 6}", "y = Gemm <transB = 1> (r, w)");
    const b = first("float[3,2] w = {1, 4, 2, 5, 3, 6}", "y = MatMul(r, w)");
    for (const { matrix, weight } of [a, b]) {
      expect(matrix).toMatchObject({ groups: 1, outputs: 2, columns: 3 });
      if (isRefused(matrix)) continue;
      expect([...matrixOf(matrix, weight.tensor)]).toEqual([1, 2, 3, 4, 5, 6]);
      expect(weightOf(matrix, weight.tensor, matrixOf(matrix, weight.tensor)).numbers()).toEqual(
        weight.tensor.numbers(),
      );
    }
  });

  test("half floats have one", () => {
    const { matrix, weight } = first("float16[1,2] w = {0.5, 2.0}", "y = Gemm <transB = 1> (r, w)");
    expect(isRefused(matrix) ? matrix : [...matrixOf(matrix, weight.tensor)]).toEqual([0.5, 2]);
  });

  test.each([
    ["y = Gemm <alpha = 2.0> (r, w)", /alpha/],
    ["y = Gemm <transA = 1> (r, w)", /transposes/],
    ["y = com.microsoft.FusedMatMul(r, w)", /more than multiply/],
  ])("%s has none", (body, reason) => {
    expect(first("float[4,4] w", body).matrix).toEqual({ refused: expect.stringMatching(reason) });
  });
});

describe("where the bias is", () => {
  test.each([
    ["float[4,5] w, float[5] b", "y = Gemm(r, w, b)", { index: 2, perOutput: true }, "y"],
    ["float[4,5] w", "y = Gemm(r, w)", { index: 2, perOutput: true }, "y"],
    ["float[4,5] w, float[5] b", "p = MatMul(r, w) y = Add(p, b)", { index: 1, perOutput: true }, "y"],
    ["float[4,5] w, float[1,5] b", "p = MatMul(r, w) y = Add(b, p)", { index: 0, perOutput: true }, "y"],
    ["float[4,5] w, float b", "p = MatMul(r, w) y = Add(p, b)", { index: 1, perOutput: false }, "y"],
  ])("%s %s", (constants, body, slot, result) => {
    const layer = first(constants, body);
    expect(layer.bias).toMatchObject(slot);
    expect(layer.result.name).toBe(result);
  });

  test.each([
    ["float[4,5] w, float[5] b", "y = MatMul(r, w) z = Add(y, b)", /no Add alone/],
    ["float[4,5] w, float[3,1] b", "p = MatMul(r, w) y = Add(p, b)", /no bias/],
    ["float[4,5] w", "p = MatMul(r, w) y = Add(p, p)", /no Add alone/],
  ])("none: %s %s", (constants, body, reason) => {
    const layer = first(constants, body);
    expect(layer.bias).toEqual({ refused: expect.stringMatching(reason) });
    expect(layer.result).toBe(layer.node.output);
  });
});

test("layers that share a weight know each other, in the order of the graph", () => {
  const { graph } = parseModel(
    `${header("float[4,4] w, float[4,4] v")} {
    a = MatMul(r, w) b = MatMul(a, v) y = MatMul(b, w)
  }`,
    { seed: 1 },
  );
  const layers = layersOf(graph);
  expect(layers.map(({ uses }) => uses.map(({ output }) => output.name))).toEqual([["a", "y"], ["b"], ["a", "y"]]);
});

test("a layer is found by what it computes: the product, or the Add that holds its bias", () => {
  const values = parseModel(`${header("float[4,5] w, float[5] b")} { p = MatMul(r, w) y = Add(p, b) }`, {
    seed: 1,
  }).graph;
  const of = (name: string) => layerOf(values.valuesByName().get(name)) as Layer;
  expect([of("p").result.name, of("y").result.name]).toEqual(["p", "y"]);
  expect([isRefused(of("p").bias), isRefused(of("y").bias)]).toEqual([true, false]);
  expect((productAt(of("y").node) as Layer).result.name).toBe("p");
});

test("what has no constant weight of floats is none, with a reason", () => {
  const { graph } = parseModel(
    `${header("int8[4,5] i")} { a = Transpose(r) y = MatMul(r, a) z = Relu(y) k = MatMul(r, i) }`,
    { seed: 1 },
  );
  const [transpose, product, relu, integers] = [...graph.nodes];
  expect(layerAt(transpose!)).toBeUndefined();
  expect(layerAt(relu!)).toBeUndefined();
  expect(layerAt(product!)).toEqual({ refused: expect.stringMatching(/computed/) });
  expect(layerAt(integers!)).toEqual({ refused: expect.stringMatching(/no floats/) });
});
