/** Layers whose weight and bias can be rewritten: constants of a float type, a bias with one number per output channel. */
import { isRefused, type Refused, refuse } from "../../base/inner.ts";
import {
  betaOf,
  floatConstant,
  isOp,
  type Layer,
  type LayerAxes,
  layerOf,
  onlyReader,
  productAt,
} from "../../facts/inner.ts";
import type { Node, Value } from "../../ir/inner.ts";
import { elementsOf, type Tensor } from "../../tensor/inner.ts";

export interface EditableLayer extends Layer {
  readonly axes: LayerAxes;
}

/** The layer that computes this value; a reason when it is one whose weights cannot be edited. */
export function editableLayer(value: Value | null): EditableLayer | Refused | undefined {
  const node = value?.producer;
  if (!node) return undefined;
  if (!isOp(node, "Add")) return node.output === value ? editableProduct(node) : undefined;
  const layer = layerOf(value);
  if (!layer || isRefused(layer) || isRefused(layer.bias)) return undefined;
  const product = editableProduct(layer.node);
  if (!product || isRefused(product)) return undefined;
  const bias = floatConstant(layer.bias.node.input(layer.bias.index));
  return bias && isPerOutput(bias, product.axes.outputs) ? (layer as EditableLayer) : undefined;
}

/** The layer of this very node, an Add behind it left aside. */
export function editableProduct(node: Node): EditableLayer | Refused | undefined {
  if (!isOp(node, "Conv", "ConvTranspose", "Gemm", "MatMul")) return undefined;
  const layer = productAt(node);
  const value = layer && !isRefused(layer) ? layer.weight.value : null;
  if (!layer || isRefused(layer) || !floatConstant(value))
    return refuse(`the weight of ${node} is computed, or of a type that is not edited`);
  const { axes } = layer;
  if (isRefused(axes)) return axes;
  if (isOp(node, "MatMul") && layer.weight.tensor.shape.length !== 2)
    return refuse(`the weight of ${node} is no matrix`);
  const given = isRefused(layer.bias) ? null : node.input(layer.bias.index);
  const bias = floatConstant(given);
  if (given && !bias) return refuse(`the bias of ${node} is computed`);
  if (bias && !isPerOutput(bias, axes.outputs)) return refuse(`the bias of ${node} differs from row to row`);
  return betaOf(node) === 0 ? refuse(`${node} has beta = 0`) : (layer as EditableLayer);
}

/** The layer of a node, together with the Add that holds its bias where there is one that can be edited. */
export function wholeLayer(node: Node): EditableLayer | Refused | undefined {
  const next = onlyReader(node.output);
  const withAdd = isOp(node, "MatMul") && isOp(next, "Add") ? editableLayer(next.output) : undefined;
  return withAdd && !isRefused(withAdd) ? withAdd : editableProduct(node);
}

/** The bias per output channel; zeros where there is none. */
export function biasesOf({ bias, axes }: EditableLayer): number[] {
  const tensor = isRefused(bias) ? undefined : floatConstant(bias.node.input(bias.index));
  const values = tensor ? elementsOf(tensor) : [0];
  return Array.from({ length: axes.outputs }, (_, c) => values[values.length === 1 ? 0 : c]!);
}

/** One number per output channel along the last axis, or one for all. */
function isPerOutput(bias: Tensor, outputs: number): boolean {
  return bias.size === 1 || (bias.size === outputs && bias.shape.at(-1) === outputs);
}
