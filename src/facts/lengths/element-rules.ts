/** Which small integers an operator computes from lengths: the operands of Reshape, Slice, Pad and Expand. */
import type { Node } from "../../ir/inner.ts";
import { bodies, combining, containers, contrib, mapping, random, reducing, texts } from "../tables/groups.ts";
import { each, type Table } from "../tables/row.ts";
import {
  calculated,
  cast,
  chosen,
  filled,
  gathered,
  joined,
  lengthsOf,
  reshaped,
  sliced,
  transposed,
} from "./elements.ts";
import type { Computed, KnownLengths } from "./length.ts";

/** The elements of the first output. */
export type ElementRule = (node: Node, known: KnownLengths) => Computed | undefined;

/** A rule that asks for the elements of the first input. */
const from =
  (rule: (node: Node, x: Computed, known: KnownLengths) => Computed | undefined): ElementRule =>
  (node, known) => {
    const x = known.elements(node.input(0));
    return x && rule(node, x, known);
  };

export const elementRules: Table<ElementRule> = {
  // Those that exporters compute lengths with follow below.
  ...each(mapping, { unknown: "lengths are not put through it" }),
  ...each(combining, { unknown: "lengths are not put through it" }),
  ...each(reducing, { unknown: "no model that was seen reduces lengths" }),
  Shape: lengthsOf,
  ConstantOfShape: filled,
  Where: chosen,
  Identity: from((_, x) => x),
  Cast: from(cast),
  Gather: from(gathered),
  Slice: from(sliced),
  ...each(["Reshape Squeeze Unsqueeze"], from(reshaped)),
  Transpose: from(transposed),
  Concat: from(joined),
  ...each(["Add Div Mul Sub"], from(calculated)),
  ...each(bodies, { unknown: "the body says it, which is walked by itself" }),
  ...each(containers, { unknown: "what flows is no tensor" }),
  ...each(texts, { unknown: "it makes no lengths" }),
  ...each(random, { unknown: "nobody can tell what it draws" }),
  Constant: { unknown: "it is read as a constant, which has its elements" },
  ...each(["Expand Flatten Range ScatterElements ScatterND Size Split Tile"], {
    unknown: "exporters do write it between lengths; no model that was seen needed it",
  }),
  ...each(
    [
      "AffineGrid ArgMax ArgMin Attention AveragePool BatchNormalization BlackmanWindow CastLike CenterCropPad Clip Col2Im Compress",
      "Conv ConvInteger ConvTranspose CumProd CumSum DFT DeformConv DepthToSpace DequantizeLinear Det Dropout DynamicQuantizeLinear",
      "Einsum EyeLike GRU GatherElements GatherND Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool GridSample GroupNormalization",
      "HammingWindow HannWindow Hardmax ImageDecoder InstanceNormalization LRN LSTM LayerNormalization LogSoftmax LpNormalization",
      "LpPool MatMul MatMulInteger MaxPool MaxRoiPool MaxUnpool MeanVarianceNormalization MelWeightMatrix",
      "NegativeLogLikelihoodLoss NonMaxSuppression NonZero OneHot PRelu Pad QLinearConv QLinearMatMul QuantizeLinear",
      "RMSNormalization RNN Resize ReverseSequence RoiAlign RotaryEmbedding STFT Scatter SimplifiedLayerNormalization Softmax",
      "SoftmaxCrossEntropyLoss SpaceToDepth TensorScatter TopK Trilu Unique Upsample",
    ],
    { unknown: "it works on data" },
  ),
  ...each(contrib, { unknown: "it works on data" }),
};
