/**
 * Which operators compute in half precision: the standard lets their floats be float16, and what they add up stays small or is a mean. The
 * others stay in float32, each for a reason. Held against ONNX Runtime in quant/lower/half.test.ts.
 */
import {
  bodies,
  combining,
  containers,
  contrib,
  losses,
  making,
  mapping,
  quantizing,
  random,
  reducing,
  texts,
} from "./groups.ts";
import { each, type Table } from "./row.ts";

export interface HalfRow {
  /** Inputs that stay float32, whatever the others are. */
  readonly float?: readonly number[];
  /** Constants beyond the ends of half precision mean "without bound" there, and the ends mean the same. */
  readonly clamps?: true;
}

const half: HalfRow = {};
const sums = { unknown: "sums of many numbers lose digits in half precision, or overflow" } as const;
const growing = { unknown: "errors would be carried from step to step" } as const;
const own = { unknown: "it makes numbers of its own, and a Cast behind it costs nothing" } as const;

export const halfRows: Table<HalfRow> = {
  ...each(mapping, half),
  ...each(combining, half),
  ...each(["Add Clip Max Min Sub Where"], { clamps: true }),
  ...each(["BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor And Or Xor Not"], { unknown: "it has no floats" }),
  ...each(["BitCast"], { unknown: "it reads bits" }),
  ...each(reducing, sums),
  ...each(["ReduceMax ReduceMean ReduceMin"], half),
  ...each(["CumProd CumSum"], sums),
  ...each(
    [
      "ArgMax ArgMin AveragePool BatchNormalization CenterCropPad Compress Concat Conv ConvTranspose DepthToSpace Dropout Einsum Expand",
      "Flatten Gather GatherElements GatherND Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool GroupNormalization Hardmax Identity",
      "InstanceNormalization LRN LayerNormalization LogSoftmax LpNormalization LpPool MatMul MaxPool PRelu Pad RMSNormalization",
      "Reshape ReverseSequence ScatterElements ScatterND SimplifiedLayerNormalization Slice Softmax SpaceToDepth Split Squeeze",
      "Tile TopK Transpose Trilu Unsqueeze",
    ],
    half,
  ),
  ...each(["CastLike"], { unknown: "its second input says the type of a result that is asked for" }),
  ...each(["Resize"], { float: [1, 2] }),
  ...each(["Upsample"], { unknown: "the operator sets that have half precision throughout have Resize instead" }),
  ...each(["Cos Sin"], { unknown: "angles need more digits than half precision has" }),
  ...each(["GRU LSTM RNN"], growing),
  ...each(["Attention RotaryEmbedding"], half),
  ...each(["MeanVarianceNormalization NonZero Shape Size Scatter Unique TensorScatter"], {
    unknown: "nothing is won by it",
  }),
  ...each(["AffineGrid GridSample MaxRoiPool NonMaxSuppression RoiAlign DeformConv"], {
    unknown: "positions in images need more digits than half precision has",
  }),
  ...each(["Col2Im Det DFT ImageDecoder MaxUnpool STFT"], { unknown: "few runtimes have it in half precision" }),
  ...each(making, own),
  ...each(random, own),
  ...each(containers, { unknown: "what flows is no tensor" }),
  ...each(bodies, { unknown: "its bodies compute in float32" }),
  ...each(texts, { unknown: "it reads or writes text" }),
  ...each(losses, sums),
  ...each(quantizing, { unknown: "it computes on integers" }),
  // Of a constant; what is quantized as the model runs stays (quant/lower/half.ts).
  DequantizeLinear: half,
  ...each(contrib, { unknown: "few runtimes have it in half precision" }),
  ...each(
    [
      "com.microsoft.Attention com.microsoft.BiasGelu com.microsoft.FastGelu com.microsoft.GatherBlockQuantized com.microsoft.Gelu",
      "com.microsoft.GroupQueryAttention com.microsoft.MatMulNBits com.microsoft.MultiHeadAttention com.microsoft.QuickGelu",
      "com.microsoft.RotaryEmbedding com.microsoft.SkipLayerNormalization com.microsoft.SkipSimplifiedLayerNormalization",
    ],
    half,
  ),
};
