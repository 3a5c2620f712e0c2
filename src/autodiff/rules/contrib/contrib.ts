/** Operators of ONNX Runtime's own domain. Those that it makes of standard ones while it optimizes have their rules. */
import type { Value } from "../../../ir/inner.ts";
import type { Backward, GradientRow, InputGradients } from "../../rule.ts";
import { rotaryEmbedding } from "../attention/attention.ts";
import { groupQueryAttention, multiHeadAttention, projectedAttention } from "../attention/contrib-attention.ts";
import { slope } from "../elementwise/elementwise.ts";
import { geluSlope, swishSlope } from "../elementwise/slopes.ts";
import { normalInput, standardized, unitRoot } from "../normalization/normal.ts";
import { fusedConv, fusedGemm, fusedMatMul } from "./contrib-products.ts";

/** A bias over the last axis in front of a function: both have the gradient of the sum. */
function afterBias(derivative: (b: Backward, x: Value) => Value): (b: Backward) => InputGradients {
  return (b) => {
    const bias = b.node.input(1);
    const x = bias ? b.add(b.input(0), bias) : b.input(0);
    const dx = b.mul(b.dy, derivative(b, x));
    return [dx, b.wants(1) ? b.unbroadcast(dx, b.outShape, b.shapeOf(1)) : null];
  };
}

/** Layer normalization of x + skip + bias; the sum may be the fourth output. */
function skipNorm(b: Backward, centred: boolean): InputGradients {
  const { node } = b;
  const biasIndex = centred ? 4 : 3;
  const last = [b.outShape.length - 1];
  const computed = node.outputs[3];
  const bias = node.input(biasIndex);
  const plain = () => b.add(b.input(0), b.input(1));
  const sum = computed?.name ? computed : bias ? b.add(plain(), bias) : plain();
  const epsilon = node.float("epsilon", 1e-5);
  const normal = centred ? standardized(b, sum, last, epsilon) : unitRoot(b, sum, last, epsilon);
  const dy = b.gradient(0);
  const through = dy && normalInput(b, normal, b.mul(dy, b.input(2)));
  const arrived = b.gradient(3);
  const dx = through && arrived ? b.add(through, arrived) : (through ?? arrived!);
  const vector = (value: Value, index: number) =>
    b.wants(index) ? b.unbroadcast(value, b.outShape, b.shapeOf(index)) : null;
  const gradients: (Value | null)[] = [dx, vector(dx, 1), dy ? vector(b.mul(dy, normal.x), 2) : null];
  if (centred) gradients.push(dy ? vector(dy, 3) : null);
  return [...gradients, vector(dx, biasIndex)];
}

/** Y = X⁻¹: dX = −Yᵀ · dY · Yᵀ. */
function inverse(b: Backward): InputGradients {
  const turned = b.swapLast(b.y, b.outShape.length);
  return [b.neg(b.matMul(b.matMul(turned, b.dy), turned))];
}

const integers = { flat: "integers have no gradient" } as const;
const quantized = {
  none: "it is an integer kernel that ONNX Runtime makes of Q/DQ pairs; differentiate the model with the pairs",
} as const;
const caches = { none: "it works on caches of generated text, which are not trained on" } as const;
const packed = {
  none: "its weights are packed integers; differentiate the model with float weights, or with Q/DQ pairs",
} as const;
const layout = { none: "it is a layout that ONNX Runtime makes of a standard operator while it optimizes" } as const;
const graphics = { none: "it has kernels for graphics cards only, so its gradient cannot be checked here" } as const;
const rare = {
  none: "ONNX Runtime makes no model with it and it stands in no published one; give a rule if yours has it",
} as const;
const mask = { none: "it drops at random and packs its mask in bits; use the standard Dropout" } as const;

export const contrib = {
  "com.microsoft.Attention": projectedAttention,
  "com.microsoft.BiasAdd": graphics,
  "com.microsoft.BiasDropout": mask,
  "com.microsoft.BiasGelu": afterBias((b, x) => geluSlope(b, x, "none")),
  "com.microsoft.BiasSoftmax": graphics,
  "com.microsoft.BiasSplitGelu": graphics,
  "com.microsoft.BitmaskBiasDropout": mask,
  "com.microsoft.BitmaskDropout": mask,
  "com.microsoft.CDist": rare,
  "com.microsoft.ComplexMul": rare,
  "com.microsoft.ComplexMulConj": rare,
  "com.microsoft.ConvTransposeWithDynamicPads": rare,
  "com.microsoft.CropAndResize": rare,
  "com.microsoft.DecoderMaskedMultiHeadAttention": caches,
  "com.microsoft.DequantizeLinear": quantized,
  "com.microsoft.DynamicQuantizeLSTM": quantized,
  "com.microsoft.DynamicQuantizeMatMul": quantized,
  "com.microsoft.EmbedLayerNormalization": rare,
  "com.microsoft.ExpandDims": rare,
  "com.microsoft.FastGelu": afterBias((b, x) => geluSlope(b, x, "tanh")),
  "com.microsoft.FusedConv": fusedConv,
  "com.microsoft.FusedGemm": fusedGemm,
  "com.microsoft.FusedMatMul": fusedMatMul,
  "com.microsoft.FusedMatMulActivation": rare,
  "com.microsoft.GatedRelativePositionBias": rare,
  "com.microsoft.GatherBlockQuantized": packed,
  "com.microsoft.GatherND": rare,
  "com.microsoft.Gelu": slope((b) => geluSlope(b, b.input(0), "none")),
  "com.microsoft.GemmFastGelu": rare,
  "com.microsoft.GemmaRotaryEmbedding": rare,
  "com.microsoft.GridSample": rare,
  "com.microsoft.GroupNorm": layout,
  "com.microsoft.GroupQueryAttention": groupQueryAttention,
  "com.microsoft.Inverse": inverse,
  "com.microsoft.Irfft": rare,
  "com.microsoft.IsAllFinite": { flat: "its output is a truth value" },
  "com.microsoft.LongformerAttention": rare,
  "com.microsoft.MatMulBnb4": packed,
  "com.microsoft.MatMulFpQ4": packed,
  "com.microsoft.MatMulInteger16": integers,
  "com.microsoft.MatMulIntegerToFloat": quantized,
  "com.microsoft.MatMulNBits": packed,
  "com.microsoft.MaxpoolWithMask": rare,
  "com.microsoft.MoE": rare,
  "com.microsoft.MulInteger": integers,
  "com.microsoft.MultiHeadAttention": multiHeadAttention,
  "com.microsoft.MurmurHash3": integers,
  "com.microsoft.NGramRepeatBlock": integers,
  "com.microsoft.NhwcConv": layout,
  "com.microsoft.NhwcFusedConv": layout,
  "com.microsoft.NhwcMaxPool": layout,
  "com.microsoft.PackedAttention": rare,
  "com.microsoft.PackedMultiHeadAttention": rare,
  "com.microsoft.Pad": rare,
  "com.microsoft.PagedAttention": caches,
  "com.microsoft.QAttention": quantized,
  "com.microsoft.QEmbedLayerNormalization": quantized,
  "com.microsoft.QGemm": quantized,
  "com.microsoft.QLinearAdd": quantized,
  "com.microsoft.QLinearAveragePool": quantized,
  "com.microsoft.QLinearConcat": quantized,
  "com.microsoft.QLinearConv": quantized,
  "com.microsoft.QLinearGlobalAveragePool": quantized,
  "com.microsoft.QLinearLeakyRelu": quantized,
  "com.microsoft.QLinearMul": quantized,
  "com.microsoft.QLinearReduceMean": quantized,
  "com.microsoft.QLinearSigmoid": quantized,
  "com.microsoft.QLinearSoftmax": quantized,
  "com.microsoft.QLinearWhere": quantized,
  "com.microsoft.QMoE": packed,
  "com.microsoft.QuantizeLinear": quantized,
  "com.microsoft.QuickGelu": slope((b) => swishSlope(b, b.input(0), b.y, b.node.float("alpha", 1.702))),
  "com.microsoft.Range": { flat: "its bounds are counted in whole steps" },
  "com.microsoft.ReduceSumInteger": integers,
  "com.microsoft.RelativePositionBias": rare,
  "com.microsoft.RemovePadding": rare,
  "com.microsoft.RestorePadding": rare,
  "com.microsoft.Rfft": rare,
  "com.microsoft.RotaryEmbedding": (b) => rotaryEmbedding(b, 2, 3),
  "com.microsoft.SkipGroupNorm": layout,
  "com.microsoft.SkipLayerNormalization": (b) => skipNorm(b, true),
  "com.microsoft.SkipSimplifiedLayerNormalization": (b) => skipNorm(b, false),
  "com.microsoft.SparseAttention": caches,
  "com.microsoft.SparseToDenseMatMul": { none: "its first matrix is sparse, which tensors of Avocet are not" },
  "com.microsoft.Tokenizer": { flat: "it works on text" },
  "com.microsoft.TorchEmbedding": rare,
  "com.microsoft.TransposeMatMul": fusedMatMul,
  "com.microsoft.Trilu": rare,
  "com.microsoft.UnfoldTensor": rare,
  "com.microsoft.Unique": rare,
} satisfies Record<string, GradientRow>;
