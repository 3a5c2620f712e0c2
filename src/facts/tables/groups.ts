/** Operators that most tables answer for alike, by name: whoever adds an operator puts it here or into the tables themselves. */

/** They map each element by itself, and leave shape and (but for Cast, BitCast and what asks a question) type as they are. */
export const mapping = [
  "Abs Acos Acosh Asin Asinh Atan Atanh BitCast BitwiseNot Cast Ceil Celu Cos Cosh Elu Erf Exp Floor",
  "Gelu HardSigmoid HardSwish IsInf IsNaN LeakyRelu Log Mish Neg Not Reciprocal Relu Round Selu Shrink",
  "Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu",
] as const;

/** They combine elements at the same (broadcast) position of all inputs. */
export const combining = [
  "Add And BitShift BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less LessOrEqual",
  "Max Mean Min Mod Mul Or Pow Sub Sum Where Xor",
] as const;

/** They reduce along axes. */
export const reducing = [
  "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum",
  "ReduceSumSquare",
] as const;

/** They draw numbers. */
export const random = ["Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike"] as const;

/** They make, read or return sequences and optionals, which are no tensors. */
export const containers = [
  "ConcatFromSequence Optional OptionalGetElement OptionalHasElement SequenceAt SequenceConstruct",
  "SequenceEmpty SequenceErase SequenceInsert SequenceLength SequenceMap SplitToSequence",
] as const;

/** What they compute is in a graph of their own. */
export const bodies = ["If Loop Scan"] as const;

/** They make integers of floats, floats of integers, or compute on integers. */
export const quantizing = [
  "ConvInteger DequantizeLinear DynamicQuantizeLinear MatMulInteger QLinearConv QLinearMatMul QuantizeLinear",
] as const;

/** They make numbers of their own, from lengths, indices or attributes. */
export const making = [
  "BlackmanWindow Constant ConstantOfShape EyeLike HammingWindow HannWindow MelWeightMatrix OneHot Range",
] as const;

/** What training compares outputs and labels with. */
export const losses = ["NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss"] as const;

/** They read or write text. */
export const texts = ["RegexFullMatch StringConcat StringNormalizer StringSplit TfIdfVectorizer"] as const;

/** Operators of com.microsoft, which exporters and optimisers write. */
export const contrib = [
  "com.microsoft.Attention com.microsoft.BiasAdd com.microsoft.BiasDropout com.microsoft.BiasGelu",
  "com.microsoft.BiasSoftmax com.microsoft.BiasSplitGelu com.microsoft.BitmaskBiasDropout",
  "com.microsoft.BitmaskDropout com.microsoft.CDist com.microsoft.ComplexMul",
  "com.microsoft.ComplexMulConj com.microsoft.ConvTransposeWithDynamicPads com.microsoft.CropAndResize",
  "com.microsoft.DecoderMaskedMultiHeadAttention com.microsoft.DequantizeLinear",
  "com.microsoft.DynamicQuantizeLSTM com.microsoft.DynamicQuantizeMatMul",
  "com.microsoft.EmbedLayerNormalization com.microsoft.ExpandDims com.microsoft.FastGelu",
  "com.microsoft.FusedConv com.microsoft.FusedGemm com.microsoft.FusedMatMul",
  "com.microsoft.FusedMatMulActivation com.microsoft.GatedRelativePositionBias",
  "com.microsoft.GatherBlockQuantized com.microsoft.GatherND com.microsoft.Gelu",
  "com.microsoft.GemmFastGelu com.microsoft.GemmaRotaryEmbedding com.microsoft.GridSample",
  "com.microsoft.GroupNorm com.microsoft.GroupQueryAttention com.microsoft.Inverse com.microsoft.Irfft",
  "com.microsoft.IsAllFinite com.microsoft.LongformerAttention com.microsoft.MatMulBnb4",
  "com.microsoft.MatMulFpQ4 com.microsoft.MatMulInteger16 com.microsoft.MatMulIntegerToFloat",
  "com.microsoft.MatMulNBits com.microsoft.MaxpoolWithMask com.microsoft.MoE com.microsoft.MulInteger",
  "com.microsoft.MultiHeadAttention com.microsoft.MurmurHash3 com.microsoft.NGramRepeatBlock",
  "com.microsoft.NhwcConv com.microsoft.NhwcFusedConv com.microsoft.NhwcMaxPool",
  "com.microsoft.PackedAttention com.microsoft.PackedMultiHeadAttention com.microsoft.Pad",
  "com.microsoft.PagedAttention com.microsoft.QAttention com.microsoft.QEmbedLayerNormalization",
  "com.microsoft.QGemm com.microsoft.QLinearAdd com.microsoft.QLinearAveragePool",
  "com.microsoft.QLinearConcat com.microsoft.QLinearConv com.microsoft.QLinearGlobalAveragePool",
  "com.microsoft.QLinearLeakyRelu com.microsoft.QLinearMul com.microsoft.QLinearReduceMean",
  "com.microsoft.QLinearSigmoid com.microsoft.QLinearSoftmax com.microsoft.QLinearWhere",
  "com.microsoft.QMoE com.microsoft.QuantizeLinear com.microsoft.QuickGelu com.microsoft.Range",
  "com.microsoft.ReduceSumInteger com.microsoft.RelativePositionBias com.microsoft.RemovePadding",
  "com.microsoft.RestorePadding com.microsoft.Rfft com.microsoft.RotaryEmbedding",
  "com.microsoft.SkipGroupNorm com.microsoft.SkipLayerNormalization",
  "com.microsoft.SkipSimplifiedLayerNormalization com.microsoft.SparseAttention",
  "com.microsoft.SparseToDenseMatMul com.microsoft.Tokenizer com.microsoft.TorchEmbedding",
  "com.microsoft.TransposeMatMul com.microsoft.Trilu com.microsoft.UnfoldTensor com.microsoft.Unique",
] as const;
