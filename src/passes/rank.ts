/** The rank of a value, as far as the graph itself tells: from its type, or from what computes it. */
import type { Value } from "../ir/index.ts";
import { isOpType, ops } from "../ops/index.ts";
import { constantInts, constantOf, isOp } from "./walk.ts";

/** Number of axes, or undefined when neither the type nor the producers say it. Looks back at most 32 nodes. */
export function rankOf(value: Value | null, depth = 32): number | undefined {
  if (!value || depth === 0) return undefined;
  const constant = constantOf(value);
  if (constant) return constant.shape.length;
  if (value.type?.kind === "tensor" && value.type.shape) return value.type.shape.length;
  const node = value.producer;
  if (node?.domain !== "" || !isOpType(node.op)) return undefined;
  if (isOp(node, "Gemm", "Flatten")) return 2;
  if (isOp(node, "Conv", "ConvTranspose"))
    return constantOf(node.input(1))?.shape.length ?? rankOf(node.input(0), depth - 1);
  if (isOp(node, "MatMul")) {
    const ranks = [rankOf(node.input(0), depth - 1), rankOf(node.input(1), depth - 1)];
    if (ranks[0] === undefined || ranks[1] === undefined) return undefined;
    return ranks[0] >= 2 && ranks[1] >= 2 ? Math.max(ranks[0], ranks[1]) : undefined;
  }
  if (isOp(node, "Reshape")) return constantInts(node.input(1))?.length ?? node.ints("shape")?.length;
  if (/^Reduce/.test(node.op) && node.int("keepdims", 1) === 1) return rankOf(node.input(0), depth - 1);
  if (isOp(node, "Transpose") && node.ints("perm")) return node.ints("perm")!.length;
  if (ops[node.op].elementwise && node.op !== "Identity" && node.inputs.length > 1) {
    const ranks = node.inputs.map((input) => rankOf(input, depth - 1));
    return ranks.every((r) => r !== undefined) ? Math.max(...(ranks as number[])) : undefined;
  }
  const keeps = isOp(
    node,
    "BatchNormalization",
    "Dropout",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "Pad",
    "Concat",
    "Softmax",
  );
  return keeps || ops[node.op].elementwise ? rankOf(node.input(0), depth - 1) : undefined;
}
