/** Lengths of outputs beyond the first, and of operators that are rarer than those in lengths.ts. */

import type { Node, Value } from "../../ir/inner.ts";
import { axisOf } from "../axis.ts";
import { constantOf } from "../constants.ts";
import type { Computed } from "./computed.ts";
import type { Length, Lengths } from "./length.ts";

type Made = readonly (Length | undefined)[] | undefined;

export interface KnownLengths {
  of(value: Value | null): Lengths | undefined;
  elements(value: Value | null): Computed | undefined;
}

const times = (...lengths: readonly (Length | undefined)[]): number | undefined =>
  lengths.every((n) => typeof n === "number") ? (lengths as number[]).reduce((a, b) => a * b, 1) : undefined;

/** The lengths of one output; undefined where no rule is known. The node is of the standard domain. */
export function rarerLengths(node: Node, output: number, table: KnownLengths): Made {
  const [x, second] = [table.of(node.input(0)), table.of(node.input(1))];
  switch (node.op) {
    case "BatchNormalization":
      return second;
    case "Dropout":
      return x;
    case "LayerNormalization": {
      const from = x && axisOf(node.int("axis", -1), x.length);
      return from === undefined ? undefined : x?.map((length, axis) => (axis < from ? length : 1));
    }
    case "Attention":
      return output === 0 ? attended(node, x, table.of(node.input(2))) : undefined;
    case "DepthToSpace":
    case "SpaceToDepth": {
      const [n, c, h, w] = x ?? [];
      const block = node.int("blocksize", 1);
      const factor = node.op === "DepthToSpace" ? block : 1 / block;
      return x && [n, times(c, 1 / factor ** 2), times(h, factor), times(w, factor)];
    }
    case "DynamicQuantizeLinear":
      return output === 0 ? x : [];
    case "Einsum":
      return summed(node, table);
    case "GatherElements":
      return second;
    case "GridSample":
      return x && second && [x[0], x[1], ...second.slice(1, -1)];
    case "NonMaxSuppression":
      return [undefined, 3];
    case "OneHot": {
      const depth = table.elements(node.input(1))?.elements[0];
      const at = x && axisOf(node.int("axis", -1), x.length + 1);
      return at === undefined ? undefined : x && [...x.slice(0, at), depth, ...x.slice(at)];
    }
    case "QLinearMatMul":
      return x && table.of(node.input(3)) && matrix(x, table.of(node.input(3))!);
    case "MatMulInteger":
      return x && second && matrix(x, second);
    case "Range": {
      const [start, end, step] = [0, 1, 2].map((i) => numberAt(node, i, table));
      if (typeof start !== "number" || typeof end !== "number" || typeof step !== "number") return [undefined];
      return [Math.max(0, Math.ceil((end - start) / step))];
    }
    case "BlackmanWindow":
    case "HammingWindow":
    case "HannWindow":
      return [numberAt(node, 0, table)];
    case "MelWeightMatrix": {
      const [bins, length] = [0, 1].map((i) => numberAt(node, i, table));
      return [typeof length === "number" ? Math.floor(length / 2) + 1 : undefined, bins];
    }
    case "AffineGrid": {
      const size = table.elements(node.input(1))?.elements;
      return size && [size[0], ...size.slice(2), size.length - 2];
    }
    case "Size":
      return [];
    case "Det":
      return x?.slice(0, -2);
    case "EyeLike":
    case "RotaryEmbedding":
    case "LpNormalization":
      return x;
    default:
      return undefined;
  }
}

/** One number that an input holds: of a constant of any type, or computed from lengths. */
function numberAt(node: Node, index: number, table: KnownLengths): Length | undefined {
  const constant = constantOf(node.input(index));
  if (!constant) return table.elements(node.input(index))?.elements[0];
  return constant.size === 1 && constant.dtype !== "string" ? constant.numbers()[0] : undefined;
}

/** [batch, heads, queries, size of values], or with three axes [batch, queries, heads · size of values]. */
function attended(node: Node, q: Lengths | undefined, v: Lengths | undefined): Made {
  if (!q || !v) return undefined;
  if (q.length === 4) return [...q.slice(0, 3), v[3]];
  const heads = node.int("q_num_heads", 1);
  return [q[0], q[1], times(v[2], heads / node.int("kv_num_heads", heads))];
}

/** Matrices with axes in front that are equal on both sides. */
function matrix(a: Lengths, b: Lengths): Made {
  if (a.length < 2 || b.length < 2) return undefined;
  const [front, other] = [a.slice(0, -2), b.slice(0, -2)];
  const batch = other.length > front.length || front.every((length) => length === 1) ? other : front;
  return [...batch, a.at(-2), b.at(-1)];
}

/** The labels after the arrow; without an arrow or with an ellipsis nothing is said. */
function summed(node: Node, table: KnownLengths): Made {
  const [terms, result] = node.string("equation", "").replaceAll(" ", "").split("->");
  if (result === undefined || `${terms}${result}`.includes(".")) return undefined;
  const lengths = new Map<string, Length>();
  terms!.split(",").forEach((term, i) => {
    table.of(node.input(i))?.forEach((length, axis) => {
      const label = term[axis];
      // A length of one may stand for a longer one of the same label.
      if (label !== undefined && (lengths.get(label) ?? 1) === 1) lengths.set(label, length);
    });
  });
  return [...result].map((label) => lengths.get(label));
}
