/** Which operators of quantized files are read, and one refusal for all others, whichever command meets them. */
import { AvocetError } from "../../base/inner.ts";
import type { Graph, Node } from "../../ir/inner.ts";

const qdq = ["QuantizeLinear", "DequantizeLinear"];
const packed = ["MatMulNBits", "GatherBlockQuantized"];
const dynamic = [
  "DynamicQuantizeLinear",
  "MatMulInteger",
  "ConvInteger",
  "DynamicQuantizeMatMul",
  "MatMulIntegerToFloat",
  "DynamicQuantizeLSTM",
];
/** Each reads and writes integers, with scales next to them. */
export const integerOperators = [
  "QLinearConv",
  "QLinearMatMul",
  "QGemm",
  "QLinearAdd",
  "QLinearMul",
  "QLinearSigmoid",
  "QLinearLeakyRelu",
  "QLinearSoftmax",
  "QLinearAveragePool",
  "QLinearGlobalAveragePool",
  "QLinearReduceMean",
  "QLinearConcat",
  "QLinearWhere",
] as const;

const read = new Set<string>([...qdq, ...packed, ...dynamic, ...integerOperators]);

/** Quantized operators that nothing here turns into floats. */
const unread = new Set([
  "BitLinear",
  "DequantizeBFP",
  "DequantizeWithOrder",
  "GemmFloat8",
  "MatMulBnb4",
  "MatMulFpQ4",
  "MatMulInteger16",
  "MulInteger",
  "QAttention",
  "QcQuantizeOp",
  "QEmbedLayerNormalization",
  "QMoE",
  "QuantizeBFP",
  "QuantizeWithOrder",
  "ReduceSumInteger",
]);

/** Whether the node belongs to a model that is quantized already. */
export function isQuantizing({ op }: Node): boolean {
  return read.has(op) || unread.has(op) || op.startsWith("QLinear") || op.startsWith("QOrdered");
}

/** The quantized operators of a graph, "2 × QAttention, QMoE", and whether `raise` reads all of them. */
export function quantizedOperators(graph: Graph): { readonly nodes: readonly Node[]; readonly text: string } {
  const nodes = [...graph.nodes].filter(isQuantizing);
  return { nodes, text: `${nodes.length} × ${[...new Set(nodes.map(({ op }) => op))].join(", ")}` };
}

/** What to do with a file that has such operators: the same sentence from every command. */
export function remedyOf(nodes: readonly Node[]): string {
  const strange = [...new Set(nodes.map(({ op }) => op).filter((op) => !read.has(op)))];
  return strange.length > 0
    ? `no command reads ${strange.join(", ")}: take the float model that the file was made from`
    : "`avocet import FILE -o plan.json` makes a float model and a plan of it; better, take the float model that it was made from";
}

/** What is left of a quantized file is not understood: throws `quant/unsupported-model`. */
export function refuseUnread(graph: Graph): void {
  const { nodes, text } = quantizedOperators(graph);
  if (nodes.length === 0) return;
  const strange = nodes.some(({ op }) => !read.has(op));
  throw new AvocetError("quant/unsupported-model", `expected quantized operators with constant scales, got ${text}`, {
    at: `${nodes[0]}`,
    hint: strange
      ? remedyOf(nodes)
      : "scales that are computed, or shared by operators that were fused, stand for no plan: take the float model that the file was made from",
  });
}
