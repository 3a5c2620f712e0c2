/** Multiply-accumulates of the operators that have any worth counting. Shapes are those of one run. */
import type { Node } from "../ir/inner.ts";
import { sizeOf } from "../tensor/inner.ts";
import type { NodeShapes, Semantics } from "./row.ts";

type Macs = NonNullable<Semantics["macs"]>;

const input = (shapes: NodeShapes, index: number) => shapes.inputs[index] ?? null;
const output = (shapes: NodeShapes, index = 0) => shapes.outputs[index] ?? null;

/** Every output element of a convolution reads one filter: [out, in / groups, k…], or `channels` last for NHWC weights. */
export function convMacs(weight = 1): Macs {
  return (_node, shapes) => {
    const w = input(shapes, weight);
    const y = output(shapes);
    if (!w || !y) return undefined;
    return w[0] === 0 ? 0 : (sizeOf(y) * sizeOf(w)) / w[0]!;
  };
}

/** Every input element of a transposed convolution is spread by one filter: [in, out / groups, k…]. */
export const convTransposeMacs: Macs = (_node, shapes) => {
  const x = input(shapes, 0);
  const w = input(shapes, 1);
  if (!x || !w) return undefined;
  return w[0] === 0 ? 0 : (sizeOf(x) * sizeOf(w)) / w[0]!;
};

/** Every output element of a matrix product sums over the last axis of A (the last but one where A is transposed). */
export function matMulMacs(a = 0, transposed: (node: Node) => boolean = () => false): Macs {
  return (node, shapes) => {
    const x = input(shapes, a);
    const y = output(shapes);
    if (!x || !y) return undefined;
    return sizeOf(y) * (x.at(transposed(node) ? -2 : -1) ?? 1);
  };
}

/** A fully connected layer whose weight is packed: A has K in its last axis, the node knows N. */
export const packedMatMulMacs: Macs = (node, shapes) => {
  const x = input(shapes, 0);
  return x ? sizeOf(x) * node.int("N", 0) : undefined;
};

/** Recurrent layers apply W and R once per step and sample: X is [steps, batch, in] (or batch first). */
export const recurrentMacs: Macs = (_node, shapes) => {
  const x = input(shapes, 0);
  const w = input(shapes, 1);
  const r = input(shapes, 2);
  if (!x || !w || !r) return undefined;
  return x[0]! * x[1]! * (sizeOf(w) + sizeOf(r));
};

/** One product per combination of all labels: "bij,bjk->bik" costs b·i·j·k. */
export const einsumMacs: Macs = (node, shapes) => {
  const equation = node.string("equation", "").replaceAll(" ", "");
  const terms = (equation.split("->")[0] ?? "").split(",");
  const lengths = new Map<string, number>();
  let broadcast = 1;
  for (const [index, term] of terms.entries()) {
    const shape = input(shapes, index);
    if (!shape) return undefined;
    const [before = "", after] = term.split("...");
    const hidden = shape.length - before.length - (after?.length ?? 0);
    [...before].forEach((label, i) => {
      lengths.set(label, Math.max(shape[i]!, lengths.get(label) ?? 1));
    });
    broadcast = Math.max(broadcast, sizeOf(shape.slice(before.length, before.length + hidden)));
    [...(after ?? "")].forEach((label, i) => {
      lengths.set(label, Math.max(shape[before.length + hidden + i]!, lengths.get(label) ?? 1));
    });
  }
  return terms.length < 2 ? 0 : sizeOf([...lengths.values()]) * broadcast;
};

/** Attention of ONNX: Q·Kᵀ and P·V. Q is [batch, heads, queries, size], or [batch, queries, heads·size]. */
export const attentionMacs: Macs = (node, shapes) => {
  const q = input(shapes, 0);
  const k = input(shapes, 1);
  const v = input(shapes, 2);
  if (!q || !k || !v) return undefined;
  const past = input(shapes, 4)?.[2] ?? 0;
  if (q.length === 4) return q[0]! * q[1]! * q[2]! * (k[2]! + past) * (q[3]! + v[3]!);
  const heads = node.int("q_num_heads", 1);
  const ofValues = (v[2]! / node.int("kv_num_heads", heads)) * heads;
  return q[0]! * q[1]! * (k[1]! + past) * (q[2]! + ofValues);
};

/** Attention over a cache: query [batch, queries, …]; the present keys (output 1) are [batch, heads, keys, size]. */
export const cachedAttentionMacs: Macs = (node, shapes) => {
  const q = input(shapes, 0);
  const keys = output(shapes, 1) ?? (input(shapes, 1)?.length === 3 ? null : input(shapes, 1));
  const heads = node.int("num_heads", 1);
  if (!q) return undefined;
  if (keys?.length === 4) return 2 * q[0]! * q[1]! * keys[2]! * heads * keys[3]!;
  const k = input(shapes, 1);
  const v = input(shapes, 2);
  if (k?.length !== 3 || v?.length !== 3) return undefined;
  return q[0]! * q[1]! * k[1]! * (q[2]! + v[2]!);
};

/** Attention with its projection inside: input [batch, length, in], weight [in, 3·hidden]. */
export const projectedAttentionMacs: Macs = (_node, shapes) => {
  const x = input(shapes, 0);
  const w = input(shapes, 1);
  if (x?.length !== 3 || !w) return undefined;
  return sizeOf(x) * w[1]! + (2 * x[0]! * x[1]! * x[1]! * w[1]!) / 3;
};
