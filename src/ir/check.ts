/** `check`: the invariants of a graph, all faults in one error. Cheap enough to run after every pass. */
import { AvocetError } from "../base/index.ts";
import type { Graph, Value } from "./graph.ts";
import type { Model } from "./model.ts";

/** Throws `graph/invalid` with the list of all faults: unknown values, order, duplicate names, broken uses. */
export function check(model: Model, when = ""): void {
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
    if (value.name === "") return;
    if (names.has(value.name)) yield `the name ${value.name} is used twice in graph ${graph.name}`;
    names.add(value.name);
    known.add(value);
  };
  for (const input of graph.inputs) yield* define(input);
  for (const constant of graph.initializers) if (!known.has(constant)) yield* define(constant);
  for (const node of graph.nodes) {
    if (node.graph !== graph) yield `${node} does not belong to graph ${graph.name}`;
    for (const [index, value] of node.inputs.entries()) {
      if (!value) continue;
      if (!known.has(value)) yield `${node} reads ${value.name} before it is computed, or from outside the graph`;
      if (![...value.uses()].some((u) => "node" in u && u.node === node && u.index === index)) {
        yield `${node} reads ${value.name}, which does not know it`;
      }
    }
    for (const body of node.subgraphs()) yield* checkGraph(body, known);
    for (const output of node.outputs) {
      if (output.producer !== node) yield `${output.name} does not know that ${node} computes it`;
      yield* define(output);
    }
  }
  for (const output of graph.outputs) if (!known.has(output)) yield `the output ${output.name} is never computed`;
}
