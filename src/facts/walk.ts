/** Walks over a model: all its graphs, and which operator a node is. */
import type { Graph, Model, Node } from "../ir/inner.ts";

/** The main graph, the bodies of functions, and every subgraph inside, outer graphs before their subgraphs. */
export function* graphsOf(model: Model): Iterable<Graph> {
  yield* withSubgraphs(model.graph);
  for (const made of model.functions) yield* withSubgraphs(made.body);
}

/** This graph and every subgraph inside, outer ones first. */
export function* withSubgraphs(graph: Graph): Iterable<Graph> {
  yield graph;
  for (const node of graph.nodes) for (const body of node.subgraphs()) yield* withSubgraphs(body);
}

/** Whether the node is one of these operators of the standard domain. */
export function isOp(node: Node, ...names: readonly string[]): boolean;
export function isOp(node: Node | null | undefined, ...names: readonly string[]): node is Node;
export function isOp(node: Node | null | undefined, ...names: readonly string[]): boolean {
  return node != null && node.domain === "" && names.includes(node.op);
}
