/**
 * Operators over positions that let a factor and a shift per channel pass: op(s·x + t) = s·op(x) + t. Means whose weights
 * sum to one do, maxima for positive s, and what adds zeros where t is zero.
 */
import type { Node } from "../ir/inner.ts";
import { constantNumbers, constantOf } from "./constants.ts";
import { bodies, combining, containers, contrib, mapping, random, reducing, texts } from "./tables/groups.ts";
import { each, rowIn, type Table } from "./tables/row.ts";
import { isOp } from "./walk.ts";

/** "always", "positive" (only for s > 0), "unshifted" (only for t = 0), or undefined where it does not commute. */
export type Commuting = "always" | "positive" | "unshifted" | undefined;

export function commutesWithAffine(node: Node): Commuting {
  return rowIn(commuting, node)?.(node);
}

export const commuting: Table<(node: Node) => Commuting> = {
  GlobalAveragePool: () => "always",
  GlobalMaxPool: () => "positive",
  MaxPool: (node) => (node.outputs.slice(1).every((o) => o.useCount === 0) ? "positive" : undefined),
  AveragePool: (node) => (averages(node) ? "always" : "unshifted"),
  Pad: padsPlaces,
  ...each(["Resize Upsample"], (node: Node) => (interpolates(node) ? "always" : undefined)),

  ...each(mapping, { unknown: "it is not over places; a few let a factor pass, but no shift" }),
  ...each(combining, { unknown: "it is not over places: its other inputs would have to be mapped too" }),
  ...each(reducing, { unknown: "its axes may name the channels" }),
  ...each(random, { unknown: "it draws" }),
  ...each(containers, { unknown: "who reads the parts is not looked for" }),
  ...each(bodies, { unknown: "its body is not looked into" }),
  ...each(texts, { unknown: "it reads no float numbers" }),
  ...each(
    [
      "CenterCropPad Concat DepthToSpace Dropout Expand Flatten Gather GatherElements GatherND Identity Reshape ReverseSequence",
      "Slice SpaceToDepth Split Squeeze Tile Transpose Trilu Unsqueeze",
    ],
    { unknown: "it moves channels: whoever asks follows them" },
  ),
  ...each(["Conv ConvTranspose DeformConv Gemm MatMul"], { unknown: "it mixes channels" }),
  ...each(
    [
      "BatchNormalization GroupNormalization Hardmax InstanceNormalization LRN LayerNormalization LogSoftmax LpNormalization",
      "MeanVarianceNormalization RMSNormalization SimplifiedLayerNormalization Softmax",
    ],
    { unknown: "it normalizes" },
  ),
  ...each(["GlobalLpPool LpPool"], {
    unknown: "a norm lets a positive factor pass and no shift; nobody folds into it",
  }),
  ...each(
    [
      "AffineGrid ArgMax ArgMin Attention BlackmanWindow CastLike Clip Col2Im Compress Constant ConstantOfShape ConvInteger CumProd",
      "CumSum DFT DequantizeLinear Det DynamicQuantizeLinear Einsum EyeLike GRU GridSample HammingWindow HannWindow ImageDecoder",
      "LSTM MatMulInteger MaxRoiPool MaxUnpool MelWeightMatrix NegativeLogLikelihoodLoss NonMaxSuppression NonZero OneHot PRelu",
      "QLinearConv QLinearMatMul QuantizeLinear RNN Range RoiAlign RotaryEmbedding STFT Scatter ScatterElements ScatterND Shape",
      "Size SoftmaxCrossEntropyLoss TensorScatter TopK Unique",
    ],
    { unknown: "it does not stand between a layer and its batch norm" },
  ),
  ...each(contrib, { unknown: "optimisers write it after batch norms are folded" }),
};

/** Whether no window counts zeros of the padding. */
function averages(node: Node): boolean {
  if (node.int("count_include_pad", 0) === 0) return true;
  const unpadded = ["NOTSET", "VALID"].includes(node.string("auto_pad", "NOTSET"));
  return unpadded && node.int("ceil_mode", 0) === 0 && node.ints("pads", []).every((p) => p === 0);
}

/** A Pad that repeats elements of the same channel, or adds zeros next to them. */
function padsPlaces(node: Node): "always" | "unshifted" | undefined {
  const pads = node.ints("pads") ?? constantNumbers(node.input(1));
  if (!pads || node.input(3)) return undefined;
  const rank = pads.length / 2;
  if (![0, 1, rank, rank + 1].every((i) => pads[i] === 0)) return undefined;
  if (["reflect", "edge", "wrap"].includes(node.string("mode", "constant"))) return "always";
  const value = node.input(2) ? constantOf(node.input(2))?.numbers()[0] : node.float("value", 0);
  return value === 0 ? "unshifted" : undefined;
}

/** Whether a Resize stays within its channels and within the image. */
function interpolates(node: Node): boolean {
  const scales = constantOf(node.input(isOp(node, "Upsample") || node.inputs.length === 2 ? 1 : 2))?.numbers();
  const inside = node.string("coordinate_transformation_mode", "half_pixel") !== "tf_crop_and_resize";
  return inside && scales?.[0] === 1 && scales[1] === 1 && node.int("exclude_outside", 0) === 0 && !node.ints("axes");
}
