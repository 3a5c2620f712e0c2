/** The element type of a value, as far as the graph itself tells. */

import type { Node, Value } from "../ir/inner.ts";
import { rowOf } from "../ops/inner.ts";
import { type DType, dtypeOfOnnx } from "../tensor/inner.ts";
import { constantOf } from "./constants.ts";
import { isOp } from "./walk.ts";

/** From the type, the data, or the producers (at most 200 nodes deep); undefined when nothing tells. */
export function dtypeOf(value: Value | null | undefined): DType | undefined {
  return search(value, 200, new Map());
}

/** From the data or the declared type alone, without asking what computes the value. */
export function declaredDType(value: Value | null | undefined): DType | undefined {
  return constantOf(value)?.dtype ?? (value?.type?.kind === "tensor" ? value.type.dtype : undefined);
}

const keepsType = new RegExp(
  `^(${[
    "AffineGrid|Attention|AveragePool|CenterCropPad|Col2Im|Concat|CumProd|CumSum|DeformConv|Det|DFT|Einsum|Global|GridSample|GRU",
    "Hardmax|LogSoftmax|LpNormalization|LpPool|LRN|LSTM|NegativeLogLikelihoodLoss|Range|Reduce|Resize|RNN|RotaryEmbedding",
    "Scatter|Softmax|SoftmaxCrossEntropyLoss|Split$|Upsample",
  ].join("|")})`,
);

function search(
  value: Value | null | undefined,
  depth: number,
  asked: Map<Value, DType | undefined>,
): DType | undefined {
  if (!value || depth === 0) return undefined;
  if (asked.has(value)) return asked.get(value);
  const found =
    declaredDType(value) ??
    (value.producer ? computed(value.producer, value, (v) => search(v, depth - 1, asked)) : undefined);
  asked.set(value, found);
  return found;
}

function computed(node: Node, value: Value, of: (value: Value | null) => DType | undefined): DType | undefined {
  if (node.outputs[0] !== value && !isOp(node, "Split", "LSTM", "GRU", "RNN")) {
    return laterOutput(node, node.outputs.indexOf(value), of);
  }
  if (isOp(node, "Cast")) return dtypeOfOnnx(node.int("to", 0));
  if (isOp(node, "CastLike", "DequantizeLinear")) return of(node.input(1));
  if (isOp(node, "Shape", "Size", "NonZero", "ArgMax", "ArgMin")) return "int64";
  if (isOp(node, "QuantizeLinear"))
    return dtypeOfOnnx(node.int("output_dtype", 0)) ?? (node.input(2) ? of(node.input(2)) : "uint8");
  if (isOp(node, "DynamicQuantizeLinear")) return "uint8";
  if (isOp(node, "ConvInteger", "MatMulInteger")) return "int32";
  if (isOp(node, "OneHot")) return of(node.input(2));
  if (isOp(node, "NonMaxSuppression")) return "int64";
  if (isOp(node, "QLinearConv", "QLinearMatMul")) return of(node.input(7));
  if (isOp(node, "ConstantOfShape")) return node.tensor("value")?.dtype ?? "float32";
  if (isOp(node, "TopK")) return of(node.input(0));
  if (isOp(node, "Where")) return of(node.input(1)) ?? of(node.input(2));
  if (/^(Equal|Greater|Less|And|Or|Xor|Not|IsNaN|IsInf)/.test(node.op)) return "bool";
  if (
    node.domain === "com.microsoft" &&
    /^(Bias|FastGelu|Fused|MatMulNBits|QuickGelu|Skip|(Group|Multi).*Attention)/.test(node.op)
  )
    return of(node.input(0));
  const row = rowOf(node);
  if (isOp(node, "BitCast") || !row) return undefined;
  if (row.elementwise || row.linear) return of(node.input(0)) ?? of(node.input(1));
  return row.movesData || row.normalization || keepsType.test(node.op) ? of(node.input(0)) : undefined;
}

function laterOutput(node: Node, index: number, of: (value: Value | null) => DType | undefined): DType | undefined {
  if (isOp(node, "TopK", "MaxPool")) return "int64";
  if (isOp(node, "Dropout")) return "bool";
  if (isOp(node, "BatchNormalization")) return of(node.input(index + 2));
  // Statistics are kept in single precision unless the attribute says otherwise.
  if (isOp(node, "LayerNormalization")) return dtypeOfOnnx(node.int("stash_type", 1));
  if (isOp(node, "DynamicQuantizeLinear")) return index === 1 ? "float32" : "uint8";
  return isOp(node, "Attention") ? of(node.input(0)) : undefined;
}
