/** The element type of a value, as far as the graph itself tells. */
import type { Value } from "../ir/index.ts";
import { rowOf } from "../ops/index.ts";
import { type DType, dtypeOfOnnx } from "../tensor/index.ts";
import { constantOf, isOp } from "./walk.ts";

/** From the type, the data, or the producers (at most 64 nodes back); undefined when nothing tells. */
export function dtypeOf(value: Value | null | undefined, depth = 64): DType | undefined {
  if (!value || depth === 0) return undefined;
  const known = constantOf(value)?.dtype ?? (value.type?.kind === "tensor" ? value.type.dtype : undefined);
  if (known) return known;
  const node = value.producer;
  if (!node || node.output !== value) return undefined;
  if (isOp(node, "Cast")) return dtypeOfOnnx(node.int("to", 0));
  if (isOp(node, "Shape", "Size", "NonZero", "ArgMax", "ArgMin")) return "int64";
  if (isOp(node, "DequantizeLinear")) return dtypeOf(node.input(1), depth - 1);
  if (isOp(node, "Where")) return dtypeOf(node.input(1), depth - 1) ?? dtypeOf(node.input(2), depth - 1);
  if (/^(Equal|Greater|Less|And|Or|Xor|Not|IsNaN|IsInf)/.test(node.op)) return "bool";
  const row = rowOf(node);
  const sameAsInputs =
    row?.elementwise ||
    row?.movesData ||
    row?.linear ||
    row?.normalization ||
    /^(Reduce|Global|Softmax|LogSoftmax|Hardmax|AveragePool|Concat|Resize|Upsample|LRN|LSTM|GRU|RNN|Split|CumSum|Scatter)/.test(
      node.op,
    );
  if (!sameAsInputs || isOp(node, "BitCast", "CastLike")) return undefined;
  return (
    dtypeOf(node.input(0), depth - 1) ??
    (row?.elementwise || row?.linear ? dtypeOf(node.input(1), depth - 1) : undefined)
  );
}
