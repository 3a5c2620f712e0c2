/** The same layer in three forms of a model: by its weight, wherever it stands and whatever its output is called. */
import { expect, test } from "vitest";
import { addNode, cloneModel, parseModel } from "../ir/inner.ts";
import { lower, type Plan } from "../quant/inner.ts";
import { alongside } from "./branches.ts";

const model = parseModel(
  `<ir_version: 8, opset_import: ["" : 17]> f (float[2,4] x) => (float[2,4] y, float[2,4] z) <float[4,4] w, float[4,4] v> {
    first = MatMul(x, w)
    second = MatMul(first, v)
    y = Relu(second)
    z = MatMul(second, w) }`,
  { seed: 1 },
);
const none: Plan = { version: 1, target: "none", entries: [], notQuantized: [] };

test("a layer that was put in front, and a bias that took over a name, move no other layer", () => {
  const result = cloneModel(model);
  const { graph } = result;
  const values = graph.valuesByName();
  const x = graph.inputs[0]!;
  const extra = addNode(graph, "MatMul", [x, x], {}, { output: "extra", place: { before: [...graph.nodes][0]! } });
  const second = values.get("second")!;
  graph.renameLike(second, "second_product");
  const found = alongside(model, result, lower(model, none));
  expect(found.map(({ layer }) => layer.node.output.name)).toEqual(["first", "second", "z"]);
  expect(found.map(({ result }) => result.node.output.name)).toEqual(["first", "second_product", "z"]);
  expect(found.map(({ quantizedNode }) => quantizedNode.output.name)).toEqual(["first", "second", "z"]);
  expect(found.some(({ result }) => result.node === extra)).toBe(false);
});

test("a form that lacks a layer is refused", () => {
  const result = cloneModel(model);
  result.graph.rename(result.graph.valuesByName().get("v")!, "another");
  expect(() => alongside(model, result, lower(model, none))).toThrowError(
    expect.objectContaining({ code: "graph/not-found", message: expect.stringContaining("second") }),
  );
});
