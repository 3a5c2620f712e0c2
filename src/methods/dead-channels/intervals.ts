/**
 * Bounds of every value of a graph, channel by channel, from the weights alone. Graph inputs are taken to lie within
 * ±1e6, far beyond pixels, samples and features; everything that is not understood is unbounded.
 */
import { rankOf, rowIn, shapeOf } from "../../facts/inner.ts";
import type { Graph, TensorType, Value } from "../../ir/inner.ts";
import { anything, type Bounds } from "./bounds.ts";
import { uniform } from "./math.ts";
import { boundsRules } from "./rules.ts";

const inputBound = 1e6;

/** The bounds of all computed values and inputs of a graph. */
export function boundsOf(graph: Graph, shapes: ReadonlyMap<string, TensorType>): Map<Value, Bounds> {
  const found = new Map<Value, Bounds>();
  for (const input of graph.inputs) {
    found.set(input, { axis: null, each: uniform(1, -inputBound, inputBound) });
  }
  const known = {
    shapeOf: (value: Value | null) => shapeOf(value, shapes),
    rankOf: (value: Value | null) => shapeOf(value, shapes)?.length ?? rankOf(value),
    of: (value: Value | null) => (value && found.get(value)) || anything,
  };
  for (const node of graph.nodes) {
    const rule = rowIn(boundsRules, node);
    node.outputs.forEach((output, index) => {
      if (output.name !== "") found.set(output, rule?.({ node, index, ...known }) ?? anything);
    });
  }
  return found;
}
