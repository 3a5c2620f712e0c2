/** Lengths of the operators of com.microsoft that exporters and ONNX Runtime's optimiser write in place of standard ones. */

import type { Node } from "../../ir/inner.ts";
import type { Length, Lengths } from "./length.ts";
import type { KnownLengths } from "./rarer-lengths.ts";
import { windowLength } from "./window.ts";

type Made = readonly (Length | undefined)[] | undefined;

/** The lengths of one output; undefined where no rule is known. */
export function contribLengths(node: Node, output: number, table: KnownLengths): Made {
  const [x, second] = [table.of(node.input(0)), table.of(node.input(1))];
  switch (node.op) {
    case "BiasGelu":
    case "BiasSoftmax":
    case "FastGelu":
    case "Gelu":
    case "QuickGelu":
    case "RotaryEmbedding":
      return x;
    case "SkipLayerNormalization":
    case "SkipSimplifiedLayerNormalization":
      // Output 3 is the sum that is normalized; 1 and 2 are statistics.
      return output === 0 || output === 3 ? x : undefined;
    case "FusedConv":
      return output === 0 ? convolved(node, x, second) : undefined;
    case "FusedGemm":
      return [x?.[node.int("transA", 0) ? 1 : 0], second?.[node.int("transB", 0) ? 0 : 1]];
    case "MatMulNBits":
      return x && [...x.slice(0, -1), node.int("N", 0)];
    case "MultiHeadAttention": {
      const values = table.of(node.input(2));
      return output === 0 && x?.length === 3 && values?.length === 3 ? [x[0], x[1], values[2]] : undefined;
    }
    case "GroupQueryAttention":
      // With keys and values of their own the query keeps its width; packed, it holds them too.
      return output === 0 && node.input(1) ? x : undefined;
    default:
      return undefined;
  }
}

function convolved(node: Node, x: Lengths | undefined, w: Lengths | undefined): Made {
  return x && [x[0], w?.[0], ...x.slice(2).map((length, i) => windowLength(node, length, w?.[i + 2], i))];
}
