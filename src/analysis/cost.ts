/** What a model costs: parameters, and multiply-accumulates of one run at given shapes. */
import { type Model, type Node, staticShape, type TensorType, type Value } from "../ir/index.ts";
import { rowOf } from "../ops/index.ts";
import { isFloat } from "../tensor/index.ts";

export type Shapes = ReadonlyMap<string, TensorType>;

/**
 * Float numbers stored in the model: the parameters in the usual sense, statistics of batch norms included. Constants
 * shared by layers count once; scalars and the bounds of Clip are no parameters but parts of formulas.
 */
export function parametersOf(model: Model): number {
  let count = 0;
  for (const value of model.graph.initializers) {
    const { dtype, shape, size } = value.initializer!;
    if (isFloat(dtype) && shape.length > 0 && !(size === 1 && isBound(value))) count += size;
  }
  return count;
}

function isBound(value: Value): boolean {
  return [...value.uses()].every((use) => "node" in use && use.node.opName === "Clip" && use.index > 0);
}

/** Multiply-accumulates of one run of one sample, or null when a shape that they need is not known. */
export function macsOf(model: Model, shapes: Shapes): number | null {
  let total = 0;
  for (const node of model.graph.nodes) {
    const macs = macsOfNode(node, shapes);
    if (macs === undefined) return null;
    total += macs;
  }
  return total;
}

/** Multiply-accumulates of one node; 0 for operators without any worth counting, undefined when a shape is missing. */
export function macsOfNode(node: Node, shapes: Shapes): number | undefined {
  const row = rowOf(node);
  if (!row?.macs) return 0;
  const shapeOf = (value: Value | null) => (value ? (shapeAt(value, shapes) ?? null) : null);
  return row.macs(node, { inputs: node.inputs.map(shapeOf), outputs: node.outputs.map(shapeOf) });
}

/** The traced shape, else what the model declares where it is fixed. */
function shapeAt(value: Value, shapes: Shapes): readonly number[] | undefined {
  return staticShape(shapes.get(value.name)) ?? value.initializer?.shape ?? staticShape(value.type);
}
