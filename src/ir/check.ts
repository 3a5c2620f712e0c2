/** `check`: the invariants of a graph, all faults in one error. Cheap enough to run after every pass. */
import { AvocetError, expectArguments } from "../base/inner.ts";
import type { Graph, Value } from "./graph.ts";
import type { Model } from "./model.ts";

/** Throws `graph/invalid` with the list of all faults: unknown values, order, duplicate names, broken uses. */
export function check(model: Model, when = ""): void {
  expectArguments("check(model)", { model: [model, "model"] });
  const faults = [...checkGraph(model.graph, new Set())];
  for (const f of model.functions) faults.push(...checkGraph(f.body, new Set()));
  if (faults.length === 0) return;
  const shown = faults.slice(0, 20).map((fault) => `  ${fault}`);
  throw new AvocetError("graph/invalid", `the graph is broken${when ? ` ${when}` : ""}:\n${shown.join("\n")}`, {
    ...(model.source ? { at: model.source } : {}),
  });
}

function* checkGraph(graph: Graph, visible: ReadonlySet<Value>): Iterable<string> {
  const known = new Set(visible);
  const names = new Set<string>();
  const define = function* (value: Value): Iterable<string> {
    if (value.graph !== graph) yield `${value.name} does not know that it belongs to graph ${graph.name}`;
    if (value.name === "") return;
    if (names.has(value.name)) yield `the name ${value.name} is used twice in graph ${graph.name}`;
    if (!graph.names.has(value.name)) yield `the name ${value.name} is not registered`;
    names.add(value.name);
    known.add(value);
    yield* checkUses(value, graph);
  };
  for (const input of graph.inputs) yield* define(input);
  for (const constant of graph.initializers) {
    if (!constant.initializer) yield `the constant ${constant.name} has no data`;
    if (!known.has(constant)) yield* define(constant);
  }
  for (const node of graph.nodes) {
    if (node.graph !== graph) yield `${node} does not belong to graph ${graph.name}`;
    for (const [index, value] of node.inputs.entries()) {
      if (!value) continue;
      if (!known.has(value)) yield `${node} reads ${value.name} before it is computed, or from outside the graph`;
      if (!value.isReadAt(node, index)) yield `${node} reads ${value.name}, which does not know it`;
    }
    for (const body of node.subgraphs()) {
      if (body.parent !== node) yield `the body ${body.name} of ${node} does not know it`;
      if (body.names !== graph.names) yield `the body ${body.name} of ${node} does not share the names of the model`;
      yield* checkGraph(body, known);
    }
    for (const output of node.outputs) {
      if (output.producer !== node) yield `${output.name} does not know that ${node} computes it`;
      yield* define(output);
    }
  }
  for (const [index, output] of graph.outputs.entries()) {
    if (!known.has(output)) yield `the output ${output.name} is never computed`;
    if (!output.isReadAt(graph, index)) yield `the output ${output.name} does not know that it is one`;
  }
}

/** Everyone whom a value knows as reader must read it, and must be in its graph or in a body inside. */
function* checkUses(value: Value, graph: Graph): Iterable<string> {
  for (const use of value.uses()) {
    const reads = "node" in use ? use.node.inputs[use.index] : use.graph.outputs[use.index];
    let at: Graph | null = "node" in use ? use.node.graph : use.graph;
    while (at && at !== graph) at = at.parent?.graph ?? null;
    if (reads !== value || !at) {
      yield `${value.name} believes that it is read by ${"node" in use ? use.node : `graph ${use.graph.name}`}`;
    }
  }
}
