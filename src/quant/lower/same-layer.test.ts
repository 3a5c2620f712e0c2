/** Products under the names of their weights: how the forms of a model find each other. */
import { expect, test } from "vitest";
import { parseModel } from "../../ir/inner.ts";
import { productsByWeight } from "./same-layer.ts";

test("every product with a constant, in order; a weight has several where it is shared, and may stand in front", () => {
  const model = parseModel(
    `<ir_version: 8, opset_import: ["": 17, "com.example": 1]> f (float[4,4] x) => (float[4,4] y) <float[4,4] w, float[4,4] v> {
      a = MatMul(x, w)
      b = MatMul(v, a)
      c = Gemm(b, w)
      d = MatMul(c, a)
      e = com.example.MatMul(d, v)
      y = Add(e, v) }`,
    { seed: 1 },
  );
  const found = [...productsByWeight(model)].map(([name, nodes]) => [name, nodes.map((node) => node.output.name)]);
  expect(found).toEqual([
    ["w", ["a", "c"]],
    ["v", ["b"]],
  ]);
});
