/**
 * Folds Mul, Div, Add and Sub by a constant per channel into the linear layer before, or else into all layers after: what
 * exporters make of batch norms and scaled layers when they take them apart, biases that stand next to their convolution,
 * and inputs that the model normalises itself.
 *
 *   Conv → Mul(a) → Add(c)   =   Conv with a·W, a·b + c          (see layers/scale.ts)
 *   Mul(a) → Add(c) → Conv   =   Conv with W·a, b + Σ W·c        where no zero padding hides c (see channel-readers.ts)
 *
 * The bias of a MatMul stays an Add.
 */

import { isRefused, type Refused, refuse } from "../../base/inner.ts";
import { floatConstant, isOp, type Lengths, LengthTable, onlyReader, rankOf } from "../../facts/inner.ts";
import type { Node, Value } from "../../ir/inner.ts";
import { elementsOf, type Tensor } from "../../tensor/inner.ts";
import { type ChannelAffine, moveBatchNormStatistics } from "../batch-norm.ts";
import { type ChannelReader, canTake, channelReaders, intoReaders } from "../channel-readers.ts";
import { type EditableLayer, editableLayer } from "../layers/editable.ts";
import { scaleOutput } from "../layers/scale.ts";
import type { Pass } from "../pass.ts";
import { passOf, type Rule, rule } from "../rule.ts";

interface Found {
  readonly node: Node;
  /** Index of the input that the layer computes. */
  readonly side: 0 | 1;
  readonly layer: EditableLayer | Refused;
  readonly constant: Tensor;
}

export const foldChannelAffine = rule<Found>({
  name: "fold-channel-affine",
  match: (node) => {
    const operands = operandsOf(node);
    if (!operands) return undefined;
    const { side, constant } = operands;
    const layer = editableLayer(node.input(side));
    if (
      !layer ||
      (!isRefused(layer) &&
        isOp(layer.node, "MatMul") &&
        isRefused(layer.bias) &&
        node.op !== "Mul" &&
        node.op !== "Div")
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
    return dividesByZero(node, constant) ?? true;
  },
  rewrite: ({ node, side, layer, constant }, graph) => {
    const found = layer as EditableLayer;
    const affine = affineOf(node, side, constant, found.axes.outputs);
    const result = scaleOutput(found, affine);
    moveBatchNormStatistics(result, affine);
    graph.replaceUses(node.output, result);
    graph.remove(node);
  },
});

interface FoundForward {
  readonly node: Node;
  readonly input: Value;
  /** Undefined where the constant is no number per channel of axis 1. */
  readonly affine: ChannelAffine | undefined;
  readonly constant: Tensor;
  readonly readers: readonly (ChannelReader | Refused)[];
}

/** Into every layer after; only where all readers are such layers, and the channels are on axis 1. */
export function foldChannelAffineForward(table: LengthTable): Rule {
  return rule<FoundForward>({
    name: "fold-channel-affine-forward",
    match: (node) => {
      const operands = operandsOf(node);
      if (!operands) return undefined;
      const { side, constant } = operands;
      const input = node.input(side)!;
      const channels = channelsOfAxis1(table.of(input), constant);
      const readers = channelReaders({ node, input, channels: channels ?? 1 });
      if (!readers) return undefined;
      // What a file says of a length is only believed as far as the weights of a reader have it.
      const most = Math.max(...readers.map((reader) => (isRefused(reader) ? 0 : reader.layer.axes.inputs)));
      const affine = channels !== undefined && channels <= most ? affineOf(node, side, constant, channels) : undefined;
      return { node, input, constant, affine, readers };
    },
    check: ({ node, input, constant, affine, readers }) => {
      if (!affine) return refuse(`its constant is not known to be one number per channel of ${input.name}`);
      return dividesByZero(node, constant) ?? canTake(readers, affine);
    },
    rewrite: ({ node, input, affine, readers }, graph) => {
      intoReaders({ node, input }, readers as ChannelReader[], affine!, graph);
    },
  });
}

/** Which input is the constant; undefined for other operators and for a constant that is divided. */
function operandsOf(node: Node): { side: 0 | 1; constant: Tensor } | undefined {
  if (!isOp(node, "Mul", "Div", "Add", "Sub")) return undefined;
  const side = floatConstant(node.input(1)) ? 0 : 1;
  const constant = floatConstant(node.input(1 - side));
  return !constant || !node.input(side) || (node.op === "Div" && side === 1) ? undefined : { side, constant };
}

function dividesByZero(node: Node, constant: Tensor): Refused | undefined {
  return node.op === "Div" && Array.from(elementsOf(constant)).includes(0) ? refuse("it divides by zero") : undefined;
}

/** The length of axis 1, where the constant is one number for each place on it, or for all, and widens nothing. */
function channelsOfAxis1(known: Lengths | undefined, { shape, size }: Tensor): number | undefined {
  const channels = known?.[1];
  if (!known || typeof channels !== "number" || known.length < shape.length) return undefined;
  const isPerChannel = size === channels && shape[1 - (known.length - shape.length)] === channels;
  return size === 1 || isPerChannel ? channels : undefined;
}

/** Whether the constant broadcasts along the channel axis of the layer's result only, and does not widen it. */
function isPerChannel(layer: EditableLayer, { shape, size }: Tensor): boolean {
  const spatial = isOp(layer.node, "Conv", "ConvTranspose");
  const rank = spatial ? layer.weight.tensor.shape.length : (rankOf(layer.result) ?? 1);
  if (shape.length > rank) return false;
  if (size === 1) return true;
  const axis = spatial ? 1 : rank - 1;
  return size === layer.axes.outputs && shape[axis - (rank - shape.length)] === layer.axes.outputs;
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

/** Backward where possible, else forward. */
export const foldChannelAffines: Pass = {
  name: "fold-channel-affine",
  run: (model, note) =>
    passOf("fold-channel-affine", [foldChannelAffine, foldChannelAffineForward(new LengthTable(model))]).run(
      model,
      note,
    ),
};
