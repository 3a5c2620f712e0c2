/** Lengths behind operators that combine their inputs: broadcasting, products, convolutions, attention, recurrence. */
import type { Node } from "../../ir/inner.ts";
import { isOp } from "../walk.ts";
import type { KnownLengths, Length, Made } from "./length.ts";
import { spreadLength, windowLength } from "./window.ts";

/** All inputs at the same (broadcast) position. */
export function combined(node: Node, known: KnownLengths): Made {
  return node.inputs.map((input) => known.of(input)).reduce<Made>(broadcast, []);
}

/** Right-aligned; a length of one gives way, and one that is known to be larger wins over an unknown one. */
export function broadcast(a: Made, b: Made): Made {
  if (!a || !b) return undefined;
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const ia = i - (rank - a.length);
    const ib = i - (rank - b.length);
    if (ia < 0) return b[ib];
    if (ib < 0) return a[ia];
    const [p, q] = [a[ia], b[ib]];
    if (p === 1 || p === q) return q;
    if (q === 1) return p;
    return typeof p === "number" ? p : typeof q === "number" ? q : undefined;
  });
}

/** Which inputs hold the two matrices, or stacks of them. */
export const product =
  (first = 0, second = 1) =>
  (node: Node, known: KnownLengths): Made => {
    const [a, b] = [known.of(node.input(first)), known.of(node.input(second))];
    if (!a || !b || a.length < 2 || b.length < 2) return undefined;
    const batch = broadcast(a.slice(0, -2), b.slice(0, -2));
    return batch && [...batch, a.at(-2), b.at(-1)];
  };

export function matrixProduct(node: Node, known: KnownLengths): Made {
  const [a, b] = [known.of(node.input(0)), known.of(node.input(1))];
  return [a?.[node.int("transA", 0) ? 1 : 0], b?.[node.int("transB", 0) ? 0 : 1]];
}

export function convolved(node: Node, known: KnownLengths): Made {
  const [x, w] = [known.of(node.input(0)), known.of(node.input(1))];
  const rank = x?.length ?? w?.length;
  if (rank === undefined || rank < 2) return undefined;
  const places = Array.from({ length: rank - 2 }, (_, i) => windowLength(node, x?.[i + 2], w?.[i + 2], i));
  if (!isOp(node, "ConvTranspose")) return [x?.[0], w?.[0], ...places];
  const out = w?.[1];
  const spread = places.map((_, i) => spreadLength(node, x?.[i + 2], w?.[i + 2], i));
  return [x?.[0], typeof out === "number" ? out * node.int("group", 1) : undefined, ...spread];
}

export function pooled(node: Node, known: KnownLengths): Made {
  const x = known.of(node.input(0));
  const kernel = node.ints("kernel_shape");
  return x && [x[0], x[1], ...x.slice(2).map((length, i) => windowLength(node, length, kernel?.[i], i))];
}

export function pooledOverAll(node: Node, known: KnownLengths): Made {
  const x = known.of(node.input(0));
  return x && x.length >= 2 ? [x[0], x[1], ...x.slice(2).map(() => 1)] : undefined;
}

/** [batch, heads, queries, size of values], or with three axes [batch, queries, heads · size of values]. */
export function attended(node: Node, known: KnownLengths, output: number): Made {
  const [q, v] = [known.of(node.input(0)), known.of(node.input(2))];
  if (!q || !v || output > 0) return undefined;
  if (q.length === 4) return [...q.slice(0, 3), v[3]];
  const heads = node.int("q_num_heads", 1);
  const width = typeof v[2] === "number" ? v[2] * (heads / node.int("kv_num_heads", heads)) : undefined;
  return [q[0], q[1], width];
}

/** Y is [steps, directions, batch, hidden]; the last states lack the steps. With layout 1 the batch comes first. */
export function recurrent(node: Node, known: KnownLengths, output: number): Made {
  const [x, r] = [known.of(node.input(0)), known.of(node.input(2))];
  if (!x || !r) return undefined;
  if (node.int("layout", 0) === 1) return output === 0 ? [x[0], x[1], r[0], r[2]] : [x[0], r[0], r[2]];
  return output === 0 ? [x[0], r[0], x[1], r[2]] : [r[0], x[1], r[2]];
}

/** The labels after the arrow; without an arrow or with an ellipsis nothing is said. */
export function summed(node: Node, known: KnownLengths): Made {
  const [terms, result] = node.string("equation", "").replaceAll(" ", "").split("->");
  if (result === undefined || `${terms}${result}`.includes(".")) return undefined;
  const lengths = new Map<string, Length>();
  terms!.split(",").forEach((term, i) => {
    known.of(node.input(i))?.forEach((length, axis) => {
      const label = term[axis];
      // A length of one may stand for a longer one of the same label.
      if (label !== undefined && (lengths.get(label) ?? 1) === 1) lengths.set(label, length);
    });
  });
  return [...result].map((label) => lengths.get(label));
}
