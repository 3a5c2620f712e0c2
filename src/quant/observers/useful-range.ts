/**
 * What the readers of a value can tell apart. Numbers that every reader clips anyway (Relu, Clip, also behind data
 * movement) may be clipped by the quantizer at no cost: a depthwise convolution of −20 … 116 in front of a ReLU6 is worth
 * a grid over 0 … 6.
 */
import {
  bodies,
  combining,
  containers,
  contrib,
  each,
  initializerOf,
  keepsGrid,
  mapping,
  random,
  reducing,
  rowIn,
  type Table,
  texts,
} from "../../facts/inner.ts";
import type { Node, Value } from "../../ir/inner.ts";

/** Ends of a range, infinite where nothing is known. */
export type Ends = readonly [min: number, max: number];

const everything: Ends = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];

/** The smallest range outside which all readers of all these values make no difference. */
export function usefulRange(values: readonly Value[]): Ends {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  const widen = ([low, high]: Ends) => {
    min = Math.min(min, low);
    max = Math.max(max, high);
  };
  for (const value of values) {
    if (value.isGraphOutput) return everything;
    for (const node of value.consumers()) widen(readBy(node, value));
  }
  return min <= max ? [min, max] : everything;
}

/** What a reader tells apart of its first input. */
type Reading = (node: Node) => Ends;

/** Whoever reads what was moved decides. */
const moved: Reading = (node) => (keepsGrid(node) ? usefulRange(node.outputs) : everything);

export const readings: Table<Reading> = {
  ...each(mapping, { unknown: "it tells all numbers apart" }),
  ...each(combining, { unknown: "what it tells apart depends on its other inputs" }),
  ...each(reducing, { unknown: "every number counts in what it returns" }),
  ...each(random, { unknown: "every number counts in what it draws" }),
  ...each(containers, { unknown: "who reads the parts is not looked for" }),
  ...each(bodies, { unknown: "its body is not looked into" }),
  ...each(texts, { unknown: "it reads no float numbers" }),
  ...each(
    [
      "CenterCropPad Compress DepthToSpace Dropout Expand Flatten Gather GatherElements GatherND GlobalMaxPool Identity",
      "MaxPool MaxRoiPool MaxUnpool Pad ReduceMax ReduceMin Reshape ReverseSequence SequenceAt Slice SpaceToDepth Split",
      "SplitToSequence Squeeze Tile TopK Transpose Trilu Unique Unsqueeze",
    ],
    moved,
  ),
  Relu: () => [0, Number.POSITIVE_INFINITY],
  Clip: (node) => [bound(node, 1, "min", everything[0]), bound(node, 2, "max", everything[1])],
  ...each(["Max Min"], pastConstant),
  ...each(
    [
      "AffineGrid ArgMax ArgMin Attention AveragePool BatchNormalization BlackmanWindow CastLike Col2Im Concat Constant",
      "ConstantOfShape Conv ConvInteger ConvTranspose CumProd CumSum DFT DeformConv DequantizeLinear Det",
      "DynamicQuantizeLinear Einsum EyeLike GRU Gemm GlobalAveragePool GlobalLpPool GridSample GroupNormalization",
      "HammingWindow HannWindow Hardmax ImageDecoder InstanceNormalization LRN LSTM LayerNormalization LogSoftmax",
      "LpNormalization LpPool MatMul MatMulInteger MeanVarianceNormalization MelWeightMatrix NegativeLogLikelihoodLoss",
      "NonMaxSuppression NonZero OneHot PRelu QLinearConv QLinearMatMul QuantizeLinear RMSNormalization RNN Range",
      "Resize RoiAlign RotaryEmbedding STFT Scatter ScatterElements ScatterND Shape SimplifiedLayerNormalization Size",
      "Softmax SoftmaxCrossEntropyLoss TensorScatter Upsample",
    ],
    { unknown: "every number counts in what it returns" },
  ),
  ...each(contrib, { unknown: "it is written after the ranges are decided" }),
};

function readBy(node: Node, value: Value): Ends {
  return (node.input(0) === value ? rowIn(readings, node)?.(node) : undefined) ?? everything;
}

/** A Min or Max with a constant, perhaps one number per channel: beyond its extreme nobody sees a difference. */
function pastConstant(node: Node): Ends {
  const [, bounds] = node.inputs.map((value) => initializerOf(value)?.numbers());
  if (node.inputs.length !== 2 || !bounds || bounds.length === 0) return everything;
  const extreme = bounds.reduce((a, b) => (node.op === "Min" ? Math.max(a, b) : Math.min(a, b)));
  return node.op === "Min" ? [everything[0], extreme] : [extreme, everything[1]];
}

/** A bound of Clip: an attribute before opset 11, an input since; unknown when it is computed. */
function bound(node: Node, input: number, attribute: string, fallback: number): number {
  return initializerOf(node.input(input))?.numbers()[0] ?? node.float(attribute, fallback);
}
