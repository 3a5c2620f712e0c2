/** Random sequences of edits: whatever happens, the graph stays whole, and outputs keep their names on disk. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { AvocetError } from "../base/inner.ts";
import { Tensor } from "../tensor/inner.ts";
import { check } from "./check.ts";
import { cloneModel } from "./clone.ts";
import { extract, removeDead } from "./extract.ts";
import type { Graph, Node, Use, Value } from "./graph.ts";
import type { Model } from "./model.ts";
import { parseModel } from "./text/parse.ts";
import { printModel } from "./text/print.ts";

const start = `g (float[2] x, bool b, float[2] d = {1, 2}) => (p, q, x, w) <float[2] w = {3, 4}> {
  h = Add(x, w)
  i = Mul(h, d)
  q = If(b) <
    then_branch = t (float[2] k) => (s) { r = Add(h, k) s = Neg(r) },
    else_branch = e () => (s) <float c = {1}> { s = If(b) <then_branch = f () => (u) { u = Mul(i, c) }> }>
  p, m = Split(i)
}`;

/** One random edit: an operation and numbers that choose its positions. */
const edit = fc.record({
  kind: fc.constantFrom("insert", "remove", "replace", "set", "move", "constant", "input", "rename", "clear", "dead"),
  at: fc.tuple(fc.nat(), fc.nat(), fc.nat(), fc.nat()),
});
type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never;

/** The graph and the graphs inside it. */
function graphsOf(graph: Graph): Graph[] {
  return [graph, ...[...graph.nodes].flatMap((node) => [...node.subgraphs()].flatMap(graphsOf))];
}

/** The values that a node of a graph may read: all before it, here and further out. */
function visible(graph: Graph, before: Node | null): Value[] {
  const found: Value[] = [...graph.inputs, ...graph.initializers];
  for (const node of graph.nodes) {
    if (node === before) break;
    found.push(...node.outputs.filter((v) => v.name !== ""));
  }
  return graph.parent?.graph ? [...visible(graph.parent.graph, graph.parent), ...found] : [...new Set(found)];
}

function pick<T>(items: readonly T[], at: number): T | undefined {
  return items[at % Math.max(items.length, 1)];
}

/** Applies an edit where its rules allow it; edits that the graph refuses throw AvocetError. */
function apply(model: Model, { kind, at: [a, b, c, d] }: Edit): void {
  const graph = pick(graphsOf(model.graph), a)!;
  const node = pick([...graph.nodes], b);
  const value = pick([...graph.values()], c);
  switch (kind) {
    case "insert": {
      const inputs = [pick(visible(graph, node ?? null), c) ?? null, pick(visible(graph, node ?? null), d) ?? null];
      graph.insert({ op: "New", inputs, outputs: ["n", ""] }, node ? { before: node } : undefined);
      return;
    }
    case "remove":
      if (node) graph.remove(node);
      return;
    case "replace": {
      // A value may stand for another wherever it is visible: for inputs and constants of the main graph everywhere.
      const everywhere = [...model.graph.inputs, ...model.graph.initializers];
      const next = pick(everywhere, d)!;
      if (value) graph.replaceUses(value, next, (use: Use) => d % 3 > 0 || "node" in use);
      return;
    }
    case "set":
      if (node) graph.setInput(node, c % 4, d % 5 === 0 ? null : (pick(visible(graph, node), d) ?? null));
      return;
    case "move": {
      // To the end, when nobody in the graph reads what it computes.
      const last = [...graph.nodes].at(-1);
      if (node && last && node.outputs.every((v) => v.useCount === 0)) graph.move(node, { after: last });
      return;
    }
    case "constant":
      graph.addInitializer("c", Tensor.scalar(d));
      return;
    case "input":
      if (d % 2) graph.addInput(graph.names.spare("i"));
      else if (value?.isGraphInput) graph.removeInput(value);
      else if (value?.initializer) graph.removeInitializer(value);
      return;
    case "rename":
      if (value && graph === model.graph && !value.isGraphOutput) graph.renameLike(value, "renamed");
      return;
    case "clear":
      if (value) graph.setOutputs(d % 2 ? [...graph.outputs, value] : graph.outputs.slice(1));
      return;
    case "dead":
      removeDead(graph);
      return;
    default:
      kind satisfies never;
  }
}

/** Applies the edits that are allowed; what is refused must leave the graph as it was. */
function applyAll(model: Model, edits: readonly Edit[]): void {
  for (const one of edits) {
    const before = printModel(model, { tensors: "full" });
    try {
      apply(model, one);
    } catch (error) {
      if (!(error instanceof AvocetError)) throw error;
      expect(printModel(model, { tensors: "full" })).toBe(before);
    }
    check(model, `after ${one.kind} ${one.at}`);
  }
}

const edits = fc.array(edit, { maxLength: 25 });

test("any sequence of edits leaves a whole graph, which its copy equals", () => {
  fc.assert(
    fc.property(edits, (sequence) => {
      const model = parseModel(start);
      applyAll(model, sequence);
      const copy = cloneModel(model);
      check(copy);
      expect(printModel(copy, { tensors: "full" })).toBe(printModel(model, { tensors: "full" }));
      applyAll(copy, sequence);
      check(model);
    }),
    { numRuns: 300 },
  );
});

test("replacing keeps the names of outputs on disk", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 10 }), (pairs) => {
      const model = parseModel(start);
      const { graph } = model;
      for (const [from, to] of pairs) {
        const value = pick([...graph.values()], from)!;
        // An input that is an output itself is the exception, tested in graph.test.ts.
        if (!value.isGraphInput) graph.replaceUses(value, pick(graph.inputs, to)!);
      }
      check(model);
      expect(graph.outputs.map((v) => v.name)).toEqual(["p", "q", "x", "w"]);
    }),
    { numRuns: 200 },
  );
});

test("any part that can be cut out is whole and has the inputs and outputs that were asked for", () => {
  fc.assert(
    fc.property(edits, fc.nat(), fc.array(fc.nat(), { maxLength: 3 }), (sequence, to, from) => {
      const model = parseModel(start);
      applyAll(model, sequence);
      const before = printModel(model, { tensors: "full" });
      const names = [...model.graph.valuesByName().keys()];
      const wanted = [pick(names, to)!];
      const cuts = [...new Set(from.map((at) => pick(names, at)!))];
      try {
        const part = extract(model, wanted, cuts);
        check(part);
        expect(part.graph.inputs.map((v) => v.name)).toEqual(cuts);
        expect(part.graph.outputs.map((v) => v.name)).toEqual(wanted);
      } catch (error) {
        if (!AvocetError.is(error) || error.code !== "graph/not-found") throw error;
      }
      expect(printModel(model, { tensors: "full" })).toBe(before);
    }),
    { numRuns: 300 },
  );
});
