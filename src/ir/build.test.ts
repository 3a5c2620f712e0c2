/** Builders: plain values become attributes, nodes are made in one call. */
import { expect, test } from "vitest";
import { Tensor } from "../tensor/inner.ts";
import { addNode, attributeOf } from "./build.ts";
import { Graph } from "./graph.ts";
import { printGraph } from "./text/print.ts";

test("plain values become attributes of the kind that they look like", () => {
  const [tensor, graph] = [Tensor.scalar(1), new Graph("g")];
  expect(attributeOf(2)).toEqual({ type: "int", value: 2 });
  expect(attributeOf(2n)).toEqual({ type: "int", value: 2n });
  expect(attributeOf(0.5)).toEqual({ type: "float", value: 0.5 });
  expect(attributeOf(Number.POSITIVE_INFINITY)).toEqual({ type: "float", value: Number.POSITIVE_INFINITY });
  expect(attributeOf("a")).toEqual({ type: "string", value: "a" });
  expect(attributeOf([1, 2])).toEqual({ type: "ints", value: [1, 2] });
  expect(attributeOf([1, 2.5])).toEqual({ type: "floats", value: [1, 2.5] });
  expect(attributeOf([])).toEqual({ type: "ints", value: [] });
  expect(attributeOf(["a"])).toEqual({ type: "strings", value: ["a"] });
  expect(attributeOf(tensor)).toEqual({ type: "tensor", value: tensor });
  expect(attributeOf(graph)).toEqual({ type: "graph", value: graph });
  const exact = { type: "float", value: 2 } as const;
  expect(attributeOf(exact)).toBe(exact);
});

test("a node in one call", () => {
  const graph = new Graph("g");
  const x = graph.addInput("x");
  const conv = addNode(graph, "Conv", [x, null, x, null], { group: 1 });
  addNode(graph, "Relu", [x], {}, { output: "x", place: { before: conv } });
  addNode(graph, "Split", [conv.output], { axis: -1 }, { outputs: ["a", "", "b"], name: "split", domain: "d.e" });
  expect(printGraph(graph)).toMatchInlineSnapshot(`
    "g (x) => () {
      x_1 = Relu(x)
      conv = Conv(x, "", x) <group = 1>
      [split] a, "", b = d.e.Split(conv) <axis = -1>
    }"
  `);
});
