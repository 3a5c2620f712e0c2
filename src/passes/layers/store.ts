/** Writes weight and bias into a layer; a product without a bias gets one where it must. */
import { isRefused } from "../../base/inner.ts";
import { isOp, rankOf } from "../../facts/inner.ts";
import { addNode, type Graph, type Node, type Value } from "../../ir/inner.ts";
import { floatTensor, type Tensor } from "../../tensor/inner.ts";
import { replaceConstant } from "../replace-constant.ts";
import { replaceNode } from "../replace-node.ts";
import type { EditableLayer } from "./editable.ts";

/** The bias is stored in the type of the weight. Returns the value that now is the result. */
export function store(
  { node, weight: slot, bias: place }: EditableLayer,
  weight: Tensor,
  bias: readonly number[],
): Value {
  const graph = node.graph!;
  replaceConstant(graph, node, slot.index, weight, `${node.name || node.output.name}.weight`);
  const tensor = floatTensor(weight.dtype, [bias.length], (c) => bias[c]!);
  const hint = `${node.name || node.output.name}.bias`;
  if (isRefused(place)) {
    return bias.every((b) => b === 0) ? node.output : biasToMatMul(graph, node, graph.addInitializer(hint, tensor));
  }
  if (place.node.input(place.index) !== null || bias.some((b) => b !== 0))
    replaceConstant(graph, place.node, place.index, tensor, hint);
  return place.node.output;
}

/** A MatMul of matrices becomes a Gemm, any other gets an Add; its readers follow. */
function biasToMatMul(graph: Graph, node: Node, bias: Value): Value {
  const old = node.output;
  const { name } = old;
  if (isOp(node, "MatMul") && rankOf(node.input(0)) === 2) {
    return replaceNode(node, { op: "Gemm", inputs: [node.input(0), node.input(1), bias] }).output;
  }
  const add = addNode(graph, "Add", [old, bias], {}, { output: `${name}_bias`, place: { after: node } });
  add.output.type = old.type;
  graph.replaceUses(old, add.output, (use) => !("node" in use && use.node === add));
  return add.output;
}
