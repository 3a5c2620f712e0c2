/** What `check` finds: every way to break a graph that the edits allow, all faults in one error. */
import { expect, test } from "vitest";
import { Tensor } from "../tensor/inner.ts";
import { check } from "./check.ts";
import { Graph, Value } from "./graph.ts";
import { Model } from "./model.ts";
import { parseModel } from "./text/parse.ts";

const text = `g (bool b, float[2] x) => (y) <float[2] w = {1, 2}> {
  h = Add(x, w)
  y = If(b) <then_branch = p () => (t) { t = Neg(h) }, else_branch = q () => (t) { t = Abs(x) }>
}`;

function faults(breakIt: (graph: Graph, value: (name: string) => Value) => void): string[] {
  const model = parseModel(text);
  check(model);
  const values = model.graph.valuesByName();
  breakIt(model.graph, (name) => values.get(name)!);
  try {
    check(model, "after the test");
  } catch (error) {
    const [first, ...rest] = (error as Error).message.split("\n");
    expect(first).toBe("the graph is broken after the test:");
    return rest.map((line) => line.trim());
  }
  return [];
}

test("what is read before it is computed, or belongs to no graph", () => {
  expect(
    faults((graph, value) => {
      graph.insert({ op: "Early", inputs: [value("y")], outputs: ["z"] }, { before: value("h").producer! });
    }),
  ).toEqual(["Early → z reads y before it is computed, or from outside the graph"]);
  const stray = new Value("v");
  expect(
    faults((graph) => {
      graph.insert({ op: "Stray", inputs: [stray], outputs: ["z"] });
      graph.addOutput(stray);
    }),
  ).toEqual(["Stray → z reads v before it is computed, or from outside the graph", "the output v is never computed"]);
});

test("a body cannot be seen from outside, nor by its sibling", () => {
  expect(
    faults((graph, value) => {
      const [first, second] = [...value("y").producer!.subgraphs()] as [Graph, Graph];
      const inner = [...first.nodes][0]!.output;
      graph.insert({ op: "Peek", inputs: [inner], outputs: ["z"] });
      second.insert({ op: "Peek", inputs: [inner], outputs: ["v"] });
    }),
  ).toEqual([
    "t believes that it is read by Peek → z",
    "t believes that it is read by Peek → v",
    "Peek → v reads t before it is computed, or from outside the graph",
    "Peek → z reads t before it is computed, or from outside the graph",
  ]);
});

test("names that are used twice or not registered", () => {
  expect(
    faults((_, value) => {
      value("h").name = "x";
    }),
  ).toEqual(["the name x is used twice in graph g"]);
  expect(faults((graph) => graph.names.release("h"))).toEqual(["the name h is not registered"]);
});

test("constants without data, bodies that are put in past the edits", () => {
  expect(
    faults((_, value) => {
      value("w").initializer = undefined;
    }),
  ).toEqual(["the constant w has no data"]);
  expect(
    faults((_, value) => {
      value("y").producer!.attributes.set("more", { type: "graph", value: new Graph("stray") });
    }),
  ).toEqual([
    "the body stray of If → y does not know it",
    "the body stray of If → y does not share the names of the model",
  ]);
});

test("functions are checked too, and long lists are cut", () => {
  const model = parseModel(`() => () { } <domain: "f", opset_import: ["": 21]> f (x) => (y) { y = Neg(x) }`);
  model.functions[0]!.body.addOutput(new Value("nowhere"));
  expect(() => check(model)).toThrow("the output nowhere is never computed");
  const broken = new Model(new Graph("g"), [["", 21]]);
  broken.source = "broken.onnx";
  for (let i = 0; i < 50; i++) broken.graph.addOutput(new Value(`v${i}`));
  try {
    check(broken);
  } catch (error) {
    expect((error as Error).message.split("\n")).toHaveLength(21);
    expect(error).toMatchObject({ code: "graph/invalid", detail: { at: "broken.onnx" } });
  }
  expect.assertions(3);
});

test("a thousand readers of one value are checked in no time", () => {
  const graph = new Graph("g");
  const w = graph.addInitializer("w", Tensor.scalar(1));
  for (let i = 0; i < 20_000; i++) graph.insert({ op: "Neg", inputs: [w], outputs: ["y"] });
  const start = process.cpuUsage().user;
  check(new Model(graph, [["", 21]]));
  expect((process.cpuUsage().user - start) / 1000).toBeLessThan(1000); // measured 25 ms of this process; quadratic code takes ten seconds
});
