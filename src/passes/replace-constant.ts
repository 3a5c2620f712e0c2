/** Gives a node another constant at an input. */
import type { Graph, Node, Value } from "../ir/inner.ts";
import type { Tensor } from "../tensor/inner.ts";

/**
 * Gives a node another constant at an input. A constant that only this node reads keeps its name; a shared one stays
 * as it is for the others, and the node gets its own copy.
 */
export function replaceConstant(graph: Graph, node: Node, index: number, tensor: Tensor, hint: string): Value {
  const old = node.input(index);
  if (old?.initializer && old.useCount === 1 && !old.isGraphInput && graph.initializers.has(old)) {
    old.initializer = tensor;
    old.type = { kind: "tensor", dtype: tensor.dtype, shape: tensor.shape };
    return old;
  }
  const made = graph.addInitializer(old?.name || hint, tensor);
  graph.setInput(node, index, made);
  return made;
}
