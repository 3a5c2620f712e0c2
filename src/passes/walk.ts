/** Walks over a model: all its graphs, and what is constant in them. */
import type { Graph, Model, Node, Value } from "../ir/index.ts";
import type { Tensor } from "../tensor/index.ts";

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

/** The data of a value that nobody can feed: an initializer that is no graph input, or a Constant node's tensor. */
export function constantOf(value: Value | null | undefined): Tensor | undefined {
  if (!value) return undefined;
  if (value.initializer) return value.isGraphInput ? undefined : value.initializer;
  return value.producer?.op === "Constant" && value.producer.domain === "" ? value.producer.tensor("value") : undefined;
}

/** The one node that reads this value, when there is exactly one read and it is no graph output. */
export function onlyReader(value: Value): Node | undefined {
  if (value.useCount !== 1) return undefined;
  const [use] = value.uses();
  return use && "node" in use ? use.node : undefined;
}

/** Whether the node is one of these operators of the standard domain. */
export function isOp(node: Node, ...names: readonly string[]): boolean;
export function isOp(node: Node | null | undefined, ...names: readonly string[]): node is Node;
export function isOp(node: Node | null | undefined, ...names: readonly string[]): boolean {
  return node != null && node.domain === "" && names.includes(node.op);
}

/** The whole numbers of a constant, or undefined where the value is none. */
export function constantInts(value: Value | null | undefined): number[] | undefined {
  const tensor = constantOf(value);
  return tensor && !["string", "complex64", "complex128"].includes(tensor.dtype) ? tensor.numbers() : undefined;
}
