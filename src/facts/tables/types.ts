/** Which element type an operator's outputs have, from those of its inputs. */
import type { Node, Value } from "../../ir/inner.ts";
import { type DType, dtypeOfOnnx } from "../../tensor/inner.ts";
import { bodies, combining, contrib, mapping, random, reducing } from "./groups.ts";
import { each, type Table } from "./row.ts";

/** The type of the output with this index; undefined where it does not follow. */
export type TypeRule = (
  node: Node,
  of: (value: Value | null) => DType | undefined,
  output: number,
) => DType | undefined;

/** What one rule says of the first output, and another one of the others. */
const rule =
  (first: TypeRule, others: TypeRule = () => undefined): TypeRule =>
  (node, of, output) =>
    (output === 0 ? first : others)(node, of, output);

const always =
  (dtype: DType): TypeRule =>
  () =>
    dtype;

const input =
  (index: number): TypeRule =>
  (node, of) =>
    of(node.input(index));

const same = rule(input(0));
/** The second input where nothing is known of the first: both have one type. */
const shared = rule((node, of) => of(node.input(0)) ?? of(node.input(1)));

export const types: Table<TypeRule> = {
  // Other rows follow for the single ones among them that ask a question, or change the type.
  ...each(contrib, { unknown: "its type is asked for by nobody" }),
  ...each(mapping, shared),
  ...each(combining, shared),
  ...each(reducing, same),
  ...each(
    [
      "Clip Conv ConvTranspose Gemm Identity MatMul PRelu com.microsoft.ConvTransposeWithDynamicPads com.microsoft.Gelu",
      "com.microsoft.GemmFastGelu com.microsoft.MulInteger com.microsoft.NhwcConv com.microsoft.NhwcFusedConv",
      "com.microsoft.TransposeMatMul",
    ],
    shared,
  ),
  ...each(
    [
      "AffineGrid AveragePool CenterCropPad Col2Im Compress Concat ConcatFromSequence CumProd CumSum DFT DeformConv",
      "DepthToSpace Det Einsum Expand Flatten Gather GatherElements GatherND GlobalAveragePool GlobalLpPool",
      "GlobalMaxPool GridSample GroupNormalization Hardmax InstanceNormalization LRN LogSoftmax LpNormalization LpPool",
      "MaxRoiPool MaxUnpool NegativeLogLikelihoodLoss Pad RMSNormalization Range Reshape Resize ReverseSequence",
      "RotaryEmbedding Scatter ScatterElements ScatterND SequenceAt SimplifiedLayerNormalization Slice Softmax",
      "SoftmaxCrossEntropyLoss SpaceToDepth SplitToSequence Squeeze Tile Transpose Trilu Unique Unsqueeze Upsample",
      "MeanVarianceNormalization",
    ],
    same,
  ),
  ...each(
    [
      "com.microsoft.Attention com.microsoft.BiasAdd com.microsoft.BiasDropout com.microsoft.BiasGelu",
      "com.microsoft.BiasSoftmax com.microsoft.BiasSplitGelu com.microsoft.BitmaskDropout com.microsoft.ExpandDims",
      "com.microsoft.FastGelu com.microsoft.FusedConv com.microsoft.FusedGemm com.microsoft.FusedMatMul",
      "com.microsoft.FusedMatMulActivation com.microsoft.GatherND com.microsoft.GridSample com.microsoft.GroupNorm",
      "com.microsoft.GroupQueryAttention com.microsoft.MatMulNBits com.microsoft.MaxpoolWithMask",
      "com.microsoft.MultiHeadAttention com.microsoft.NhwcMaxPool com.microsoft.Pad com.microsoft.QuickGelu",
      "com.microsoft.Range com.microsoft.RemovePadding com.microsoft.RestorePadding com.microsoft.RotaryEmbedding",
      "com.microsoft.SkipGroupNorm com.microsoft.SkipLayerNormalization com.microsoft.SkipSimplifiedLayerNormalization",
      "com.microsoft.Trilu com.microsoft.UnfoldTensor com.microsoft.Unique",
    ],
    same,
  ),
  // Each of their outputs has the type of the first input.
  ...each(["GRU LSTM RNN Split"], input(0)),
  ...each(["And Equal Greater GreaterOrEqual IsInf IsNaN Less LessOrEqual Not Or Xor"], rule(always("bool"))),
  ...each(["ArgMax ArgMin NonMaxSuppression NonZero Shape Size"], rule(always("int64"))),
  ...each(["ConvInteger MatMulInteger com.microsoft.ReduceSumInteger"], rule(always("int32"))),
  ...each(["CastLike DequantizeLinear"], rule(input(1))),
  ...each(["QLinearConv QLinearMatMul"], rule(input(7))),
  Attention: input(0),
  BatchNormalization: rule(input(0), (node, of, output) => of(node.input(output + 2))),
  BitCast: { unknown: "its attribute counts types that older files do not know" },
  Cast: rule((node) => dtypeOfOnnx(node.int("to", 0))),
  ConstantOfShape: rule((node) => node.tensor("value")?.dtype ?? "float32"),
  Dropout: rule(input(0), always("bool")),
  DynamicQuantizeLinear: (_, __, output) => (output === 1 ? "float32" : "uint8"),
  // Statistics are kept in single precision unless the attribute says otherwise.
  LayerNormalization: rule(input(0), (node) => dtypeOfOnnx(node.int("stash_type", 1))),
  ...each(["MaxPool TopK"], rule(input(0), always("int64"))),
  "com.microsoft.GatherBlockQuantized": rule(input(2)),
  OneHot: rule(input(2)),
  QuantizeLinear: rule(
    (node, of) => dtypeOfOnnx(node.int("output_dtype", 0)) ?? (node.input(2) ? of(node.input(2)) : "uint8"),
  ),
  Where: rule((node, of) => of(node.input(1)) ?? of(node.input(2))),
  // The first inputs are token numbers; the word embedding has the type of the result.
  "com.microsoft.EmbedLayerNormalization": rule(input(2)),
  ...each(bodies, { unknown: "the body says it, which is not walked" }),
  ...each(random, { unknown: "an attribute may say it, and else another input" }),
  ...each(
    [
      "Optional OptionalGetElement OptionalHasElement SequenceConstruct SequenceEmpty SequenceErase SequenceInsert",
      "SequenceLength SequenceMap",
    ],
    { unknown: "what flows is no tensor" },
  ),
  ...each(["RegexFullMatch StringConcat StringNormalizer StringSplit TfIdfVectorizer"], {
    unknown: "nobody asks for the type of texts",
  }),
  ...each(
    [
      "BlackmanWindow Constant EyeLike HammingWindow HannWindow ImageDecoder MelWeightMatrix RoiAlign STFT",
      "TensorScatter",
    ],
    { unknown: "an attribute or the data says it; nobody asks" },
  ),
};
