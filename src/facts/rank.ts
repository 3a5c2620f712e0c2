/** The rank of a value, as far as the graph itself tells: from its type, or from what computes it. */

import type { Node, Value } from "../ir/inner.ts";
import { isOpType, ops } from "../ops/inner.ts";
import { constantInts, constantOf } from "./constants.ts";
import { isOp } from "./walk.ts";

/** Number of axes, or undefined when neither the type nor the producers say it. Looks back at most 200 nodes deep. */
export function rankOf(value: Value | null): number | undefined {
  return search(value, 200, new Map());
}

// Each value is asked once: residual nets have exponentially many ways back.
function search(value: Value | null, depth: number, known: Map<Value, number | undefined>): number | undefined {
  if (!value || depth === 0) return undefined;
  if (known.has(value)) return known.get(value);
  const found =
    constantOf(value)?.shape.length ??
    (value.type?.kind === "tensor" ? value.type.shape?.length : undefined) ??
    (value.producer ? computed(value.producer, (input) => search(input, depth - 1, known)) : undefined);
  known.set(value, found);
  return found;
}

const keepsRank = [
  "AveragePool BatchNormalization Concat CumSum Dropout Expand GatherElements GlobalAveragePool GlobalLpPool GlobalMaxPool",
  "GroupNormalization Hardmax Identity InstanceNormalization LayerNormalization LogSoftmax LpNormalization LpPool LRN",
  "MaxPool MeanVarianceNormalization Pad RMSNormalization Resize ReverseSequence ScatterElements ScatterND Slice Softmax",
  "Split Tile TopK Trilu Upsample",
]
  .join(" ")
  .split(" ");

function computed(node: Node, of: (input: Value | null) => number | undefined): number | undefined {
  if (node.domain !== "" || !isOpType(node.op)) return undefined;
  const x = node.input(0);
  if (isOp(node, "Gemm", "Flatten")) return 2;
  if (isOp(node, "Shape")) return 1;
  if (isOp(node, "Conv", "ConvTranspose")) return of(node.input(1)) ?? of(x);
  if (isOp(node, "Reshape")) return constantInts(node.input(1))?.length;
  if (isOp(node, "Transpose") && node.ints("perm")) return node.ints("perm")!.length;
  if (isOp(node, "Expand")) return atLeast(of(x), constantInts(node.input(1))?.length);
  if (isOp(node, ...keepsRank, "Transpose")) return of(x);
  if (isOp(node, "Squeeze", "Unsqueeze") || /^Reduce/.test(node.op)) return withAxes(node, of(x));
  if (isOp(node, "Gather")) {
    const ranks = [of(x), of(node.input(1))];
    return ranks[0] === undefined || ranks[1] === undefined ? undefined : ranks[0] + ranks[1] - 1;
  }
  if (isOp(node, "MatMul")) {
    const ranks = [of(x), of(node.input(1))];
    return ranks.every((r) => r !== undefined && r >= 2) ? atLeast(ranks[0], ranks[1]) : undefined;
  }
  if (!ops[node.op].elementwise) return undefined;
  // PRelu, Clip and CastLike have inputs that do not widen the result.
  if (isOp(node, "PRelu", "Clip", "CastLike")) return of(x);
  return node.inputs.map(of).reduce(atLeast, 0);
}

function atLeast(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : Math.max(a, b);
}

function withAxes(node: Node, rank: number | undefined): number | undefined {
  if (rank === undefined || (/^Reduce/.test(node.op) && node.int("keepdims", 1) === 1)) return rank;
  const axes = node.ints("axes") ?? constantInts(node.input(1));
  if (!axes) return undefined;
  return isOp(node, "Unsqueeze") ? rank + axes.length : rank - axes.length;
}
