/** Who needs whom in a graph: what a node reads, bodies included, and which values change from sample to sample. */
import type { Graph, Node, Value } from "../ir/inner.ts";
import { rowOf } from "../ops/inner.ts";

/** The values that a node reads: its inputs, and what its bodies (If, Loop, Scan) capture from outside. */
export function readsOf(node: Node): Set<Value> {
  const reads = new Set<Value>();
  for (const input of node.inputs) if (input) reads.add(input);
  for (const body of node.subgraphs()) {
    const inside = new Set<Value>(body.values());
    for (const value of readsOfGraph(body)) if (!inside.has(value)) reads.add(value);
  }
  return reads;
}

function* readsOfGraph(graph: Graph): Iterable<Value> {
  for (const node of graph.nodes) yield* readsOf(node);
  yield* graph.outputs;
}

/** The nodes of the main graph that read a value, themselves or in a body. */
export function readersOf(value: Value): Node[] {
  const home = value.graph;
  const readers = new Set<Node>();
  for (const use of value.uses()) {
    let node = "node" in use ? use.node : use.graph.parent;
    while (node && node.graph !== home) node = node.graph?.parent ?? null;
    if (node) readers.add(node);
  }
  return [...readers];
}

/** The values of the main graph that depend on its inputs or on chance; all others are constants. */
export function varyingValues(graph: Graph): Set<Value> {
  const varying = new Set<Value>(graph.inputs.filter((input) => !input.initializer));
  for (const node of graph.nodes) {
    const isVarying = rowOf(node)?.random === true || [...readsOf(node)].some((read) => varying.has(read));
    if (isVarying) for (const output of node.outputs) varying.add(output);
  }
  return varying;
}

/** The one node that reads this value, when there is exactly one read and it is no graph output. */
export function onlyReader(value: Value): Node | undefined {
  if (value.useCount !== 1) return undefined;
  const [use] = value.uses();
  return use && "node" in use ? use.node : undefined;
}
