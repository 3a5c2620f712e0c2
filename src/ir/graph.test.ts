/** The four edits: edges on both sides, order, and names of outputs on disk. */
import { describe, expect, test } from "vitest";
import { AvocetError } from "../base/inner.ts";
import { addNode } from "./build.ts";
import { check } from "./check.ts";
import { type Graph, type Node, Value } from "./graph.ts";
import { Model } from "./model.ts";
import { parseGraph } from "./text/parse.ts";
import { printGraph } from "./text/print.ts";

const code = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    return AvocetError.is(error) ? error.code : error;
  }
  return "no error";
};

/** The graph, after it was found whole. */
function whole(graph: Graph): string {
  check(new Model(graph, [["", 21]]));
  return printGraph(graph);
}

const value = (graph: Graph, name: string): Value => graph.valuesByName().get(name)!;
const producer = (graph: Graph, name: string): Node => value(graph, name).producer!;

describe("insert", () => {
  test("at the end, before and after; names are made unique", () => {
    const graph = parseGraph("g (x) => (y) { y = Neg(x) }");
    const y = producer(graph, "y");
    graph.insert({ op: "A", inputs: [value(graph, "x")], outputs: ["y"] }, { before: y });
    graph.insert({ op: "B", inputs: [y.output], outputs: ["y"] }, { after: y });
    graph.insert({ op: "C", inputs: [], outputs: ["y"] });
    expect(whole(graph)).toMatchInlineSnapshot(`
      "g (x) => (y) {
        y_1 = A(x)
        y = Neg(x)
        y_2 = B(y)
        y_3 = C()
      }"
    `);
  });

  test("a value that is computed already, or a place elsewhere, is refused", () => {
    const graph = parseGraph("g (x) => (y) { y = Neg(x) }");
    const other = parseGraph("g (x) => (y) { y = Neg(x) }");
    expect(code(() => graph.insert({ op: "A", inputs: [], outputs: [value(graph, "y")] }))).toBe("graph/invalid");
    expect(code(() => graph.insert({ op: "A", inputs: [], outputs: [value(graph, "x")] }))).toBe("graph/invalid");
    const place = { before: producer(other, "y") };
    expect(code(() => graph.insert({ op: "A", inputs: [], outputs: ["a"] }, place))).toBe("graph/not-found");
    expect(graph.nodeCount).toBe(1);
    expect(whole(graph)).toBe(whole(other));
  });
});

test("a value of another model cannot be read", () => {
  const graph = parseGraph("g (x) => (y) { y = Neg(x) }");
  const foreign = parseGraph("f (v) => () { }").inputs[0]!;
  const before = whole(graph);
  for (const edit of [
    () => graph.insert({ op: "A", inputs: [foreign], outputs: ["a"] }),
    () => graph.setInput(producer(graph, "y"), 0, foreign),
    () => graph.replaceUses(value(graph, "y"), foreign),
    () => graph.addOutput(foreign),
    () => graph.setOutputs([foreign]),
  ]) {
    expect(code(edit)).toBe("graph/foreign-value");
    expect(whole(graph)).toBe(before);
  }
  expect([foreign.useCount, graph.names.has("a")]).toEqual([0, false]);
});

describe("remove", () => {
  test("of a value that is read is refused, and says by whom", () => {
    const graph = parseGraph("g (x) => (y) { h = Neg(x) y = Neg(h) }");
    expect(() => graph.remove(producer(graph, "h"))).toThrow("h is read by Neg → y");
    expect(() => graph.remove(producer(graph, "y"))).toThrow("y is read by output of g");
    graph.setOutputs([]);
    graph.remove(producer(graph, "y"));
    graph.remove(producer(graph, "h"));
    expect(whole(graph)).toBe("g (x) => () {\n}");
    expect([value(graph, "x").useCount, graph.names.has("h")]).toEqual([0, false]);
  });

  test("of a node with a body frees what the body captured, and its names", () => {
    const graph = parseGraph(`g (bool b, x) => (x) {
      h = Neg(x)
      y = If(b) <then_branch = p (i) => (t) <float c = {1}> { t = Add(h, c) }, else_branch = q () => (x) { }>
    }`);
    expect(value(graph, "h").useCount).toBe(1);
    graph.remove(producer(graph, "y"));
    graph.remove(producer(graph, "h"));
    expect(["y", "i", "t", "c", "h"].map((name) => graph.names.has(name))).toEqual([false, false, false, false, false]);
    expect(value(graph, "x").useCount).toBe(1);
    expect(whole(graph)).toBe("g (bool b, x) => (x) {\n}");
  });

  test("of a node whose body moved to another node leaves the body whole", () => {
    const graph = parseGraph(
      "g (bool b, x) => (z) { y = If(b) <then_branch = p () => (t) { t = Neg(x) }> z = Neg(y) }",
    );
    const old = producer(graph, "y");
    const made = graph.insert({ ...old, op: "If", inputs: old.inputs, outputs: ["new"] }, { before: old });
    graph.replaceUses(old.output, made.output);
    graph.remove(old);
    expect(whole(graph)).toMatchInlineSnapshot(`
      "g (bool b, x) => (z) {
        new = If(b) <
          then_branch = p () => (t) {
            t = Neg(x)
          }
        >
        z = Neg(new)
      }"
    `);
  });
});

describe("setInput", () => {
  test("leaves out what lies between, and trims the end", () => {
    const graph = parseGraph("g (x, z) => (y) { y = Clip(x) }");
    const clip = producer(graph, "y");
    graph.setInput(clip, 2, value(graph, "z"));
    expect(clip.inputs.map((v) => v?.name ?? null)).toEqual(["x", null, "z"]);
    expect([clip.input(1), clip.input(7)]).toEqual([null, null]);
    graph.setInput(clip, 2, null);
    expect(clip.inputs).toHaveLength(1);
    expect(value(graph, "z").useCount).toBe(0);
    whole(graph);
  });

  test("a value read twice by one node has two uses, each of its own", () => {
    const graph = parseGraph("g (x, z) => (y) { y = Add(x, x) }");
    const add = producer(graph, "y");
    expect([value(graph, "x").useCount, value(graph, "x").consumers()]).toEqual([2, [add]]);
    graph.setInput(add, 0, value(graph, "z"));
    expect([value(graph, "x").useCount, value(graph, "z").useCount]).toEqual([1, 1]);
    graph.setInput(add, 0, value(graph, "z"));
    expect(value(graph, "z").useCount).toBe(1);
    expect([value(graph, "x").isReadAt(add, 1), value(graph, "x").isReadAt(add, 0)]).toEqual([true, false]);
    whole(graph);
  });
});

describe("replaceUses keeps the names of outputs", () => {
  test("the new value takes the name over", () => {
    const graph = parseGraph("g (x) => (y) { y = Neg(x) z = Abs(y) }");
    const made = addNode(graph, "Relu", [value(graph, "x")], {}, { place: { before: producer(graph, "y") } });
    graph.replaceUses(value(graph, "y"), made.output);
    expect(whole(graph)).toMatchInlineSnapshot(`
      "g (x) => (y) {
        y = Relu(x)
        y_1 = Neg(x)
        z = Abs(y)
      }"
    `);
  });

  test("an input or a constant stands there behind an Identity", () => {
    const graph = parseGraph("g (x) => (float[2] y, z) <float c = {1}> { y = Neg(x) z = Abs(x) }");
    graph.replaceUses(value(graph, "y"), value(graph, "x"));
    graph.replaceUses(value(graph, "z"), value(graph, "c"));
    expect(whole(graph)).toMatchInlineSnapshot(`
      "g (x) => (float[2] y, z)
      <float c = {1}, float[2] y_1>
      {
        y_1 = Neg(x)
        z_1 = Abs(x)
        y = Identity(x)
        z = Identity(c)
      }"
    `);
  });

  test("so does a value that is another output already", () => {
    const graph = parseGraph("g (x) => (y, z) { y = Neg(x) z = Abs(x) }");
    graph.replaceUses(value(graph, "y"), value(graph, "z"));
    expect(whole(graph)).toMatchInlineSnapshot(`
      "g (x) => (y, z) {
        y_1 = Neg(x)
        z = Abs(x)
        y = Identity(z)
      }"
    `);
  });

  test("an output that is named twice stays the same value", () => {
    const graph = parseGraph("g (x) => (y, y) { y = Neg(x) }");
    const made = addNode(graph, "Relu", [value(graph, "x")]);
    graph.replaceUses(value(graph, "y"), made.output);
    expect(graph.outputs.map((v) => [v.name, v.producer?.op])).toEqual([
      ["y", "Relu"],
      ["y", "Relu"],
    ]);
    expect(made.output.useCount).toBe(2);
    whole(graph);
  });

  test("an input that is an output keeps its name; only the output gets another", () => {
    const graph = parseGraph("g (float[2] x) => (x, y) { y = Neg(x) }");
    const made = addNode(graph, "Relu", [value(graph, "x")], {}, { place: { before: producer(graph, "y") } });
    graph.replaceUses(value(graph, "x"), made.output, (use) => !("node" in use && use.node === made));
    expect(whole(graph)).toMatchInlineSnapshot(`
      "g (float[2] x) => (float[2] relu, y) {
        relu = Relu(x)
        y = Neg(relu)
      }"
    `);
  });

  test("a constant that is an output gives its name away", () => {
    const graph = parseGraph("g (x) => (c) <float c = {1}> { y = Neg(x) }");
    graph.replaceUses(value(graph, "c"), value(graph, "y"));
    expect(graph.outputs.map((v) => [v.name, v.producer?.op])).toEqual([["c", "Neg"]]);
    whole(graph);
  });

  test("of a body, places matter and names do not", () => {
    const graph = parseGraph(`g (bool b, x) => (y) {
      h = Neg(x)
      y = If(b) <then_branch = p () => (t) { t = Neg(x) u = Abs(t) }, else_branch = q () => (h) { }>
    }`);
    const [body] = [...producer(graph, "y").subgraphs()];
    body!.replaceUses(value(body!, "t"), value(body!, "u"), (use) => "graph" in use);
    graph.replaceUses(value(graph, "h"), value(graph, "x"));
    expect(whole(graph)).toMatchInlineSnapshot(`
      "g (bool b, x) => (y) {
        h = Neg(x)
        y = If(b) <
          then_branch = p () => (u) {
            t = Neg(x)
            u = Abs(t)
          },
          else_branch = q () => (x) {
          }
        >
      }"
    `);
    body!.replaceUses(value(body!, "u"), value(graph, "x"));
    expect([...body!.nodes].map((n) => n.op)).toEqual(["Neg", "Abs", "Identity"]);
    whole(graph);
  });

  test("only where asked; the same value is no change", () => {
    const graph = parseGraph("g (x, z) => (y) { a = Neg(x) b = Abs(x) y = Add(a, b) }");
    graph.replaceUses(value(graph, "x"), value(graph, "x"));
    graph.replaceUses(value(graph, "x"), value(graph, "z"), (use) => "node" in use && use.node.op === "Abs");
    expect(whole(graph)).toContain("b = Abs(z)");
    expect(whole(graph)).toContain("a = Neg(x)");
  });
});

describe("editing while iterating", () => {
  const chain = () => parseGraph("g (x) => () { a = A(x) b = B(x) c = C(x) d = D(x) }");
  const visit = (graph: Graph, edit: (node: Node) => void): string => {
    const seen: string[] = [];
    for (const node of graph.nodes) {
      seen.push(node.op);
      if (seen.length > 20) throw new Error("endless");
      edit(node);
    }
    return seen.join("");
  };

  test("a node may remove itself, the next, or all that follow", () => {
    const graph = chain();
    expect(visit(graph, (node) => graph.remove(node))).toBe("ABCD");
    expect(graph.nodeCount).toBe(0);
    const next = chain();
    expect(visit(next, (node) => node.op === "A" && next.remove(producer(next, "b")))).toBe("ACD");
    const all = chain();
    expect(
      visit(all, (node) => {
        if (node.op === "B") for (const name of ["b", "c", "d"]) all.remove(producer(all, name));
      }),
    ).toBe("AB");
    const back = chain();
    expect(visit(back, (node) => node.op === "C" && back.remove(producer(back, "a")))).toBe("ABCD");
  });

  test("what is inserted ahead is visited, what is inserted behind is not", () => {
    const graph = chain();
    expect(
      visit(graph, (node) => {
        if (node.op !== "B") return;
        graph.insert({ op: "X", inputs: [], outputs: ["x1"] }, { before: node });
        graph.insert({ op: "Y", inputs: [], outputs: ["y1"] }, { after: node });
        graph.insert({ op: "Z", inputs: [], outputs: ["z1"] });
      }),
    ).toBe("ABYCDZ");
  });

  test("a node may be replaced by others", () => {
    const graph = chain();
    expect(
      visit(graph, (node) => {
        if (node.op.length > 1) return;
        graph.insert({ op: `${node.op}1`, inputs: [], outputs: ["n"] }, { before: node });
        graph.remove(node);
      }),
    ).toBe("ABCD");
    expect([...graph.nodes].map((n) => n.op).join(" ")).toBe("A1 B1 C1 D1");
  });
});

describe("order, names, inputs, constants", () => {
  test("a node moves to the front, to the end, and nowhere", () => {
    const graph = parseGraph("g (x) => () { a = A(x) b = B(x) c = C(x) }");
    const ops = () => [...graph.nodes].map((n) => n.op).join("");
    graph.move(producer(graph, "c"), { before: producer(graph, "a") });
    expect(ops()).toBe("CAB");
    graph.move(producer(graph, "c"), { after: producer(graph, "b") });
    expect(ops()).toBe("ABC");
    graph.move(producer(graph, "b"), { before: producer(graph, "b") });
    graph.move(producer(graph, "b"), { after: producer(graph, "a") });
    expect(ops()).toBe("ABC");
    expect(graph.nodeCount).toBe(3);
    whole(graph);
  });

  test("names are taken, given back, and refused when they are taken", () => {
    const graph = parseGraph("g (x) => (y) { y = Neg(x) }");
    expect(code(() => graph.rename(value(graph, "y"), "x"))).toBe("graph/name-taken");
    expect(code(() => graph.addInput("y"))).toBe("graph/name-taken");
    graph.rename(value(graph, "y"), "z");
    graph.renameLike(value(graph, "z"), "x");
    expect(whole(graph)).toBe("g (x) => (x_1) {\n  x_1 = Neg(x)\n}");
    expect(graph.names.has("z")).toBe(false);
  });

  test("constants among the inputs are found, listed no more, removed", () => {
    const graph = parseGraph("g (float x = {1}, z) => (y) { y = Add(x, z) }");
    const x = value(graph, "x");
    expect([x.isGraphInput, x.initializer!.numbers()]).toEqual([true, [1]]);
    expect(code(() => graph.unlistInput(value(graph, "z")))).toBe("graph/invalid");
    graph.unlistInput(x);
    expect(whole(graph)).toBe("g (z) => (y)\n<float x = {1}>\n{\n  y = Add(x, z)\n}");
    expect(code(() => graph.removeInitializer(x))).toBe("graph/value-in-use");
    expect(code(() => graph.removeInput(value(graph, "z")))).toBe("graph/value-in-use");
    graph.setOutputs([]);
    graph.remove(producer(graph, "y"));
    graph.removeInitializer(x);
    graph.removeInput(value(graph, "z"));
    expect(whole(graph)).toBe("g () => () {\n}");
    expect([x.graph, x.initializer, graph.names.has("x"), graph.names.has("z")]).toEqual([
      null,
      undefined,
      false,
      false,
    ]);
  });

  test("a default that goes leaves the input; an input that goes takes its default along", () => {
    const graph = parseGraph("g (float x = {1}, float z = {2}) => () { }");
    graph.removeInitializer(value(graph, "x"));
    graph.removeInput(value(graph, "z"));
    expect(whole(graph)).toBe("g (float x) => () {\n}");
    expect(graph.initializers.size).toBe(0);
  });

  test("inputs are put into order, each once", () => {
    const graph = parseGraph("g (a, b, c) => () { }");
    const [a, b, c] = graph.inputs as [Value, Value, Value];
    graph.orderInputs([c, a, b]);
    expect(graph.inputs.map((v) => v.name).join("")).toBe("cab");
    expect(code(() => graph.orderInputs([a, b]))).toBe("graph/invalid");
    expect(code(() => graph.orderInputs([a, a, b]))).toBe("graph/invalid");
    expect(code(() => graph.orderInputs([a, b, new Value("c")]))).toBe("graph/invalid");
  });
});
