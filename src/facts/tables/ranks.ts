/** How many axes an operator's outputs have, from those of its inputs. */
import type { Node, Value } from "../../ir/inner.ts";
import { constantNumbers } from "../constants.ts";
import { isOp } from "../walk.ts";
import { bodies, combining, containers, contrib, mapping, random, reducing, texts } from "./groups.ts";
import { each, type Table } from "./row.ts";

export type RankRule = (node: Node, of: (input: Value | null) => number | undefined) => number | undefined;

const fixed =
  (rank: number): RankRule =>
  () =>
    rank;

const first: RankRule = (node, of) => of(node.input(0));

/** The widest input counts. */
const widest: RankRule = (node, of) => node.inputs.map(of).reduce(atLeast, 0);

function atLeast(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : Math.max(a, b);
}

const withAxes: RankRule = (node, of) => {
  const rank = of(node.input(0));
  if (rank === undefined || (node.op.startsWith("Reduce") && node.int("keepdims", 1) === 1)) return rank;
  const axes = node.ints("axes") ?? constantNumbers(node.input(1));
  if (!axes) return undefined;
  return isOp(node, "Unsqueeze") ? rank + axes.length : rank - axes.length;
};

const convolution: RankRule = (node, of) => of(node.input(1)) ?? of(node.input(0));

/** The ranks of operators with several outputs are those of the first; the others are asked for by nobody. */
export const ranks: Table<RankRule> = {
  ...each(mapping, widest),
  ...each(combining, widest),
  // They have inputs that do not widen the result.
  ...each(["CastLike Clip PRelu"], first),
  ...each(reducing, withAxes),
  ...each(["Squeeze Unsqueeze"], withAxes),
  ...each(
    [
      "AveragePool BatchNormalization Concat CumSum Dropout GatherElements GlobalAveragePool GlobalLpPool GlobalMaxPool",
      "GroupNormalization Hardmax Identity InstanceNormalization LRN LayerNormalization LogSoftmax LpNormalization LpPool MaxPool",
      "MeanVarianceNormalization Pad RMSNormalization Resize ReverseSequence ScatterElements ScatterND Slice Softmax Split Tile",
      "TopK Trilu Upsample",
    ],
    first,
  ),
  ...each(["Conv ConvTranspose"], convolution),
  ...each(["Flatten Gemm"], fixed(2)),
  Shape: fixed(1),

  Reshape: (node) => constantNumbers(node.input(1))?.length,
  Transpose: (node, of) => node.ints("perm")?.length ?? of(node.input(0)),
  Expand: (node, of) => atLeast(of(node.input(0)), constantNumbers(node.input(1))?.length),
  Gather: (node, of) => {
    const [data, indices] = [of(node.input(0)), of(node.input(1))];
    return data === undefined || indices === undefined ? undefined : data + indices - 1;
  },
  MatMul: (node, of) => {
    const [a, b] = [of(node.input(0)), of(node.input(1))];
    return a !== undefined && b !== undefined && a >= 2 && b >= 2 ? atLeast(a, b) : undefined;
  },
  ...each(containers, { unknown: "what flows is no tensor" }),
  ...each(bodies, { unknown: "the body says it, which is not walked" }),
  ...each(texts, { unknown: "nobody asks for the rank of texts" }),
  ...each(random, { unknown: "nobody asks for the rank of random numbers" }),
  ...each(
    [
      "AffineGrid ArgMax ArgMin Attention BlackmanWindow CenterCropPad Col2Im Compress Constant ConstantOfShape ConvInteger CumProd DFT",
      "DeformConv DepthToSpace DequantizeLinear Det DynamicQuantizeLinear Einsum EyeLike GRU GatherND GridSample HammingWindow",
      "HannWindow ImageDecoder LSTM MatMulInteger MaxRoiPool MaxUnpool MelWeightMatrix NegativeLogLikelihoodLoss NonMaxSuppression",
      "NonZero OneHot QLinearConv QLinearMatMul QuantizeLinear RNN Range RoiAlign RotaryEmbedding STFT Scatter",
      "SimplifiedLayerNormalization Size SoftmaxCrossEntropyLoss SpaceToDepth TensorScatter Unique",
    ],
    { unknown: "passes over layers do not meet it; lengths have its rule where shapes are asked for" },
  ),
  ...each(contrib, { unknown: "it is written after the passes that ask for ranks" }),
};
