/** Copies: nothing of the structure is shared, tensor data is, captured values are followed. */
import { expect, test } from "vitest";
import { check } from "./check.ts";
import { absorb, cloneGraph, cloneModel } from "./clone.ts";
import type { Graph, Value } from "./graph.ts";
import { Model } from "./model.ts";
import { parseGraph, parseModel } from "./text/parse.ts";
import { printGraph, printModel } from "./text/print.ts";

const text = `<ir_version: 9, opset_import: ["": 17, "f": 2], producer_name: "p", producer_version: "v", domain: "d",
  model_version: 3, doc_string: "doc", metadata_props: ["k": "v"]>
g (bool b, float[2] x, float[2] d = {1, 2}) => (y, x, y) <float[2] w = {3, 4}> {
  [n] h = Add(x, w)
  y = If(b) <
    then_branch = t () => (s) { r = f.Twice(h) s = Neg(r) },
    else_branch = e (i) => (s) <float c = {1}> { s = If(b) <then_branch = u () => (s2) { s2 = Mul(h, c) }> }>
}
<domain: "f", overload: "o", opset_import: ["": 17]> Twice <a, k = 2> (x) => (y) { y = Add(x, x) }`;

/** Every value of a graph and of the graphs inside. */
function valuesOf(graph: Graph): Value[] {
  return [...graph.values(), ...[...graph.nodes].flatMap((n) => [...n.subgraphs()].flatMap(valuesOf))];
}

test("a copy says the same and shares no value, node or graph", () => {
  const model = parseModel(text);
  const copy = cloneModel(model);
  check(copy);
  expect(printModel(copy, { tensors: "full" })).toBe(printModel(model, { tensors: "full" }));
  const originals = new Set(valuesOf(model.graph));
  expect(valuesOf(copy.graph).filter((v) => originals.has(v))).toEqual([]);
  check(model);
  expect(copy.graph.names).not.toBe(model.graph.names);
  expect(copy.functions[0]!.body).not.toBe(model.functions[0]!.body);
});

test("what the text does not show is copied too", () => {
  const model = parseModel(text);
  model.source = "file.onnx";
  model.trainingInfo = [Uint8Array.of(1)];
  model.unknownFields = Uint8Array.of(2);
  model.graph.docString = "graph doc";
  model.graph.metadata.set("g", "1");
  const node = [...model.graph.nodes][0]!;
  node.docString = "node doc";
  node.metadata.set("n", "2");
  node.unknownFields = Uint8Array.of(3);
  node.output.docString = "value doc";
  node.output.metadata.set("v", "3");
  node.output.type = { kind: "tensor", dtype: "float32", shape: [2] };
  const copy = cloneModel(model);
  const twin = [...copy.graph.nodes][0]!;
  expect([copy.source, copy.trainingInfo, copy.unknownFields]).toEqual([
    "file.onnx",
    [Uint8Array.of(1)],
    Uint8Array.of(2),
  ]);
  expect([copy.graph.docString, [...copy.graph.metadata]]).toEqual(["graph doc", [["g", "1"]]]);
  expect([twin.docString, [...twin.metadata], twin.unknownFields]).toEqual([
    "node doc",
    [["n", "2"]],
    Uint8Array.of(3),
  ]);
  expect([twin.output.docString, [...twin.output.metadata], twin.output.type]).toEqual([
    "value doc",
    [["v", "3"]],
    node.output.type,
  ]);
  copy.graph.metadata.set("g", "changed");
  twin.attributes.set("new", { type: "int", value: 1 });
  expect([model.graph.metadata.get("g"), node.attributes.has("new")]).toEqual(["1", false]);
});

test("tensor data is shared", () => {
  const model = parseModel(text);
  const constant = (m: Model) => m.graph.valuesByName().get("w")!.initializer;
  expect(constant(cloneModel(model))).toBe(constant(model));
});

test("names that a body repeats stay, also those of an output that comes later", () => {
  const repeated = `g (bool b, x) => (y) {
  z = If(b) <
    then_branch = p () => (y) {
      y = Neg(x)
    }
  >
  y = Abs(z)
}`;
  const model = new Model(parseGraph(repeated), [["", 21]]);
  const copy = cloneModel(model);
  expect(printGraph(copy.graph)).toBe(repeated);
  copy.graph.setOutputs([]);
  copy.graph.remove([...copy.graph.nodes].at(-1)!);
  // The name is still in use by the body.
  expect(copy.graph.names.has("y")).toBe(true);
  check(copy);
});

test("the map tells of every value, and which captured values stand for others", () => {
  const model = parseModel(text);
  const map = new Map<Value, Value>();
  cloneGraph(model.graph, undefined, map);
  expect([...map.keys()]).toEqual(expect.arrayContaining(valuesOf(model.graph)));
  for (const [from, to] of map) expect(to.name).toBe(from.name);
});

test("a graph goes into another one under names that are new there", () => {
  const into = parseGraph("g (x) => (y) { y = Neg(x) }");
  const from = parseGraph("h (a, b) => (y) <float[2] w = {1, 2}> { x = Add(a, w) y = Mul(x, b) }");
  const map = new Map<Value, Value>([
    [from.inputs[0]!, into.outputs[0]!],
    [from.inputs[1]!, into.inputs[0]!],
  ]);
  absorb(into, from, map);
  into.setOutputs([...into.outputs, map.get(from.outputs[0]!)!]);
  check(new Model(into, [["", 21]]));
  expect(printGraph(into)).toMatchInlineSnapshot(`
    "g (x) => (y, y_1)
    <float[2] w = {1, 2}>
    {
      y = Neg(x)
      x_1 = Add(y, w)
      y_1 = Mul(x_1, x)
    }"
  `);
});

test("no two nodes of a graph that took in another have the same name", () => {
  const into = parseGraph("g (x) => (y) { [one] y = Neg(x) }");
  const from = parseGraph("h (a) => (c) { [one] b = Neg(a) c = Abs(b) }");
  for (let i = 0; i < 2; i++) absorb(into, from, new Map([[from.inputs[0]!, into.inputs[0]!]]));
  expect([...into.nodes].map((node) => node.name)).toEqual(["one", "one_1", "", "one_2", ""]);
});
