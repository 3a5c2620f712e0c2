/**
 * Folds Mul, Div, Add and Sub by a constant per channel into the linear layer before: what exporters make of batch
 * norms and scaled layers when they take them apart, and biases that stand beside their convolution.
 *
 *   Conv → Mul(a) → Add(c)   =   Conv with a·W, a·b + c          (see layer.ts)
 *
 * The bias of a MatMul stays an Add.
 */
import type { Node } from "../ir/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { type ChannelAffine, moveBatchNormStatistics } from "./batch-norm.ts";
import { type Layer, layerOf, scaleOutput } from "./layer.ts";
import type { Pass } from "./pass.ts";
import { rankOf } from "./rank.ts";
import { isRefused, passOf, type Refused, refuse, rule } from "./rule.ts";
import { isOp, onlyReader } from "./walk.ts";
import { elementsOf, floatConstant } from "./weights.ts";

interface Found {
  readonly node: Node;
  /** Index of the input that the layer computes. */
  readonly side: 0 | 1;
  readonly layer: Layer | Refused;
  readonly constant: Tensor;
}

export const foldChannelAffine = rule<Found>({
  name: "fold-channel-affine",
  match: (node) => {
    if (!isOp(node, "Mul", "Div", "Add", "Sub")) return undefined;
    const side = floatConstant(node.input(1)) ? 0 : 1;
    const constant = floatConstant(node.input(1 - side));
    if (!constant || (node.op === "Div" && side === 1)) return undefined;
    const layer = layerOf(node.input(side));
    if (
      !layer ||
      (!isRefused(layer) && isOp(layer.node, "MatMul") && !layer.add && node.op !== "Mul" && node.op !== "Div")
    )
      return undefined;
    return { node, side, layer, constant };
  },
  check: ({ node, layer, constant }) => {
    if (isRefused(layer)) return layer;
    if (onlyReader(layer.result) !== node) {
      return refuse(
        layer.result.isGraphOutput
          ? `${layer.result.name} is a graph output`
          : `${layer.result.name} has several readers`,
      );
    }
    if (!isPerChannel(layer, constant)) return refuse("its constant is not one number per channel");
    if (node.op === "Div" && Array.from(elementsOf(constant)).includes(0)) return refuse("it divides by zero");
    return true;
  },
  rewrite: ({ node, side, layer, constant }, graph) => {
    const found = layer as Layer;
    const affine = affineOf(node, side, constant, found.outputs);
    const result = scaleOutput(found, affine);
    moveBatchNormStatistics(result, affine);
    graph.replaceUses(node.output, result);
    graph.remove(node);
  },
});

/** Whether the constant broadcasts along the channel axis of the layer's result only, and does not widen it. */
function isPerChannel(layer: Layer, { shape, size }: Tensor): boolean {
  const spatial = isOp(layer.node, "Conv", "ConvTranspose");
  const rank = spatial ? layer.weight.shape.length : (rankOf(layer.result) ?? 1);
  if (shape.length > rank) return false;
  if (size === 1) return true;
  const axis = spatial ? 1 : rank - 1;
  return size === layer.outputs && shape[axis - (rank - shape.length)] === layer.outputs;
}

function affineOf(node: Node, side: 0 | 1, constant: Tensor, channels: number): ChannelAffine {
  const elements = elementsOf(constant);
  const c = Array.from({ length: channels }, (_, i) => elements[elements.length === 1 ? 0 : i]!);
  const all = (value: number) => c.map(() => value);
  switch (node.op) {
    case "Mul":
      return { scale: c, shift: all(0) };
    case "Div":
      return { scale: c.map((x) => 1 / x), shift: all(0) };
    case "Add":
      return { scale: all(1), shift: c };
    default:
      return side === 0 ? { scale: all(1), shift: c.map((x) => -x) } : { scale: all(-1), shift: c };
  }
}

export const foldChannelAffines: Pass = passOf("fold-channel-affine", [foldChannelAffine]);
