/** Which lengths an operator's outputs have, from those of its inputs. */
import { bodies, combining, containers, contrib, losses, mapping, random, reducing, texts } from "../tables/groups.ts";
import { each, type Table } from "../tables/row.ts";
import { largest, located, normalized, oneHot, reduced } from "./along-axes.ts";
import {
  attended,
  broadcast,
  combined,
  convolved,
  matrixProduct,
  pooled,
  pooledOverAll,
  product,
  recurrent,
  summed,
} from "./combining.ts";
import type { LengthRule } from "./length.ts";
import {
  blocks,
  concatenated,
  flattened,
  gathered,
  padded,
  reshaped,
  resized,
  sliced,
  split,
  squeezed,
  tiled,
  transposed,
} from "./movement.ts";
import { affineGrid, melWeights, range, window } from "./sources.ts";

const input =
  (index: number): LengthRule =>
  (node, known) =>
    known.of(node.input(index));

const same = input(0);

export const lengthRules: Table<LengthRule> = {
  // Single ones among them follow below.
  ...each(contrib, { unknown: "optimisers write it, and nobody asked for its lengths yet" }),
  ...each(mapping, same),
  ...each(combining, combined),
  ...each(reducing, reduced),
  ...each(
    [
      "CastLike Clip CumProd CumSum DequantizeLinear Dropout EyeLike GroupNormalization Hardmax Identity InstanceNormalization LRN",
      "LogSoftmax LpNormalization MeanVarianceNormalization PRelu QuantizeLinear RMSNormalization ReverseSequence RotaryEmbedding",
      "ScatterElements ScatterND Softmax Trilu",
    ],
    same,
  ),
  ...each(
    [
      "com.microsoft.BiasGelu com.microsoft.BiasSoftmax com.microsoft.FastGelu com.microsoft.Gelu com.microsoft.QuickGelu",
      "com.microsoft.RotaryEmbedding",
    ],
    same,
  ),
  ...each(["AveragePool LpPool MaxPool"], pooled),
  ...each(["GlobalAveragePool GlobalLpPool GlobalMaxPool"], pooledOverAll),
  ...each(["Conv ConvTranspose com.microsoft.FusedConv"], convolved),
  ...each(["Gemm com.microsoft.FusedGemm"], matrixProduct),
  ...each(["MatMul MatMulInteger"], product()),
  QLinearMatMul: product(0, 3),
  Einsum: summed,
  Attention: attended,
  ...each(["GRU LSTM RNN"], recurrent),
  ...each(["ArgMax ArgMin"], located),
  TopK: largest,
  OneHot: oneHot,
  LayerNormalization: normalized,
  // Behind the first output come means and variances, one per channel.
  BatchNormalization: (node, known, output) => known.of(node.input(output === 0 ? 0 : 1)),
  // The others are a scale and a zero point.
  DynamicQuantizeLinear: (node, known, output) => (output === 0 ? known.of(node.input(0)) : []),

  Concat: concatenated,
  Flatten: flattened,
  Reshape: reshaped,
  Transpose: transposed,
  ...each(["Squeeze Unsqueeze"], squeezed),
  Gather: gathered,
  GatherElements: input(1),
  Slice: sliced,
  Split: split,
  Pad: padded,
  ...each(["Resize Upsample"], resized),
  Tile: tiled,
  Expand: (node, known) => broadcast(known.of(node.input(0)), known.elements(node.input(1))?.elements),
  ...each(["DepthToSpace SpaceToDepth"], blocks),
  GridSample: (node, known) => {
    const [x, grid] = [known.of(node.input(0)), known.of(node.input(1))];
    return x && grid && [x[0], x[1], ...grid.slice(1, -1)];
  },
  Det: (node, known) => known.of(node.input(0))?.slice(0, -2),

  Shape: (node, known) => [known.elements(node.output)?.shape[0]],
  Size: () => [],
  ConstantOfShape: (node, known) => known.elements(node.input(0))?.elements,
  Range: range,
  ...each(["BlackmanWindow HammingWindow HannWindow"], window),
  MelWeightMatrix: melWeights,
  AffineGrid: affineGrid,
  NonMaxSuppression: () => [undefined, 3],

  // Output 3 is the sum that is normalized; 1 and 2 are statistics.
  ...each(["com.microsoft.SkipLayerNormalization com.microsoft.SkipSimplifiedLayerNormalization"], ((
    node,
    known,
    output,
  ) => (output === 0 || output === 3 ? known.of(node.input(0)) : undefined)) as LengthRule),
  "com.microsoft.MatMulNBits": (node, known) => {
    const x = known.of(node.input(0));
    return x && [...x.slice(0, -1), node.int("N", 0)];
  },
  "com.microsoft.MultiHeadAttention": (node, known, output) => {
    const [x, values] = [known.of(node.input(0)), known.of(node.input(2))];
    return output === 0 && x?.length === 3 && values?.length === 3 ? [x[0], x[1], values[2]] : undefined;
  },
  // With keys and values of their own the query keeps its width; packed, it holds them too.
  "com.microsoft.GroupQueryAttention": (node, known, output) =>
    output === 0 && node.input(1) ? known.of(node.input(0)) : undefined,

  ...each(bodies, { unknown: "the body says it, which is walked by itself" }),
  ...each(containers, { unknown: "what flows is no tensor" }),
  ...each(texts, { unknown: "nobody asks for the lengths of texts" }),
  ...each(random, { unknown: "nobody asks for the lengths of random numbers" }),
  ...each(["Compress NonZero Unique"], { unknown: "the data decides how many there are" }),
  Constant: { unknown: "it is read as a constant, which has its shape" },
  ImageDecoder: { unknown: "the image says it" },
  ...each(["ConvInteger QLinearConv"], { unknown: "it is in files that are quantized already" }),
  ...each(losses, { unknown: "files that are run have no losses" }),
  ...each(
    [
      "CenterCropPad Col2Im DFT DeformConv GatherND MaxRoiPool MaxUnpool RoiAlign STFT Scatter",
      "SimplifiedLayerNormalization TensorScatter",
    ],
    { unknown: "no model asked for its lengths yet" },
  ),
};
