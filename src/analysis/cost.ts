/** What a model costs: parameters, and multiply-accumulates of one run at given shapes. */
import { graphsOf, shapeOf } from "../facts/inner.ts";
import { type Graph, type Model, type Node, staticShape, type TensorType, type Value } from "../ir/inner.ts";
import { rowOf } from "../ops/inner.ts";
import { isFloat } from "../tensor/inner.ts";

export type Shapes = ReadonlyMap<string, TensorType>;

/**
 * Float numbers stored in the model, bodies included: the parameters in the usual sense, with statistics of batch norms. Constants
 * shared by layers count once; scalars and the bounds of Clip are no parameters but parts of formulas.
 */
export function parametersOf(model: Model): number {
  let count = 0;
  for (const graph of graphsOf(model)) {
    for (const value of graph.initializers) {
      const { dtype, shape, size } = value.initializer!;
      if (isFloat(dtype) && shape.length > 0 && !(size === 1 && isBound(value))) count += size;
    }
  }
  return count;
}

function isBound(value: Value): boolean {
  return [...value.uses()].every((use) => "node" in use && use.node.opName === "Clip" && use.index > 0);
}

/**
 * Multiply-accumulates of one run of one sample, or null when a shape or a number of turns that they need is not known. Of an If
 * the costlier branch counts.
 */
export function macsOf(model: Model, shapes: Shapes): number | null {
  return macsOfGraph(model.graph, shapes) ?? null;
}

function macsOfGraph(graph: Graph, shapes: Shapes): number | undefined {
  let total = 0;
  for (const node of graph.nodes) {
    const macs = macsOfNode(node, shapes);
    if (macs === undefined) return undefined;
    total += macs;
  }
  return total;
}

/** Multiply-accumulates of one node; 0 for operators without any worth counting, undefined when a shape is missing. */
export function macsOfNode(node: Node, shapes: Shapes): number | undefined {
  const bodies = [...node.subgraphs()].map((body) => macsOfGraph(body, shapes));
  if (bodies.length > 0) {
    if (bodies.includes(undefined)) return undefined;
    const most = Math.max(...(bodies as number[]));
    // How often a loop turns is in no file.
    return node.op === "If" || most === 0 ? most : undefined;
  }
  const row = rowOf(node);
  if (!row?.macs) return 0;
  const lengthsOf = (value: Value | null) => (value ? (shapeAt(value, shapes) ?? null) : null);
  return row.macs(node, { inputs: node.inputs.map(lengthsOf), outputs: node.outputs.map(lengthsOf) });
}

/** The traced shape, else what the model declares where it is fixed. */
function shapeAt(value: Value, shapes: Shapes): readonly number[] | undefined {
  return shapeOf(value, shapes) ?? staticShape(value.type);
}
