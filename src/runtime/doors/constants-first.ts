/**
 * Where in a file the nodes stand that depend on constants alone. ONNX Runtime walks back from the outputs, at each node into the input whose
 * node stands last in the file first. Behind what is computed from data, the dequantizers of all weights would run before everything else, and
 * all weights would lie there as floats at once; at the front, each runs right before it is needed.
 */
import { cloneModel, type Model, type Node, type Value } from "../../ir/inner.ts";

/** A copy of the model with these nodes at its front. */
export function constantsFirst(model: Model): Model {
  const copy = cloneModel(model);
  const { graph } = copy;
  const computed = new Set<Value>();
  const isConstant = (value: Value | null) =>
    value === null || computed.has(value) || (value.initializer !== undefined && !value.isGraphInput);
  const first = [...graph.nodes][0];
  let last: Node | undefined;
  for (const node of [...graph.nodes]) {
    if (node.inputs.length === 0 || !node.inputs.every(isConstant) || [...node.subgraphs()].length > 0) continue;
    for (const output of node.outputs) computed.add(output);
    if (last) graph.move(node, { after: last });
    else if (node !== first) graph.move(node, { before: first! });
    last = node;
  }
  return copy;
}
