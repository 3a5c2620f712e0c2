/** Which neighbouring stretches are one block although a single value flows between them: what papers treat as one. */
import type { Node } from "../../ir/inner.ts";
import { rowOf } from "../../ops/inner.ts";

/** A stretch of the node order: `end` is the index of its last node. */
export interface Stretch {
  readonly end: number;
  readonly nodes: readonly Node[];
  readonly layers: readonly Node[];
}

/**
 * A depthwise convolution joins the pointwise one behind it, and one before it that widens (an inverted bottleneck without a
 * residual connection); an attention joins the two or three layers of the feed-forward part behind it (a transformer block).
 */
export function joinNeighbours(stretches: readonly Stretch[], most: number): Stretch[] {
  const found: Stretch[] = [];
  for (let i = 0; i < stretches.length; i++) {
    let one = stretches[i]!;
    const next = stretches[i + 1];
    const last = found.at(-1);
    if (next && one.layers.length + next.layers.length <= most && belongTogether(one, next)) {
      const widens = isDepthwise(one.layers[0]!) && last?.layers.length === 1 && isWidening(last.layers[0]!);
      one = joined(one, next);
      if (widens && 1 + one.layers.length <= most) one = joined(found.pop()!, one);
      i++;
    }
    found.push(one);
  }
  return found;
}

function joined(first: Stretch, second: Stretch): Stretch {
  return {
    end: second.end,
    nodes: [...first.nodes, ...second.nodes],
    layers: [...first.layers, ...second.layers],
  };
}

function belongTogether(first: Stretch, second: Stretch): boolean {
  const [one, other] = [first.layers, second.layers];
  if (one.length === 1 && other.length === 1) return isDepthwise(one[0]!) && isPointwise(other[0]!);
  return first.nodes.some(isAttention) && !second.nodes.some(isAttention) && other.length >= 2 && other.length <= 3;
}

function weightShape(layer: Node): readonly number[] {
  return layer.input(rowOf(layer)!.linear!.weight)!.initializer!.shape;
}

function isDepthwise(layer: Node): boolean {
  return layer.op === "Conv" && layer.int("group", 1) > 1 && weightShape(layer)[1] === 1;
}

function isPointwise(layer: Node): boolean {
  const [, , ...kernel] = weightShape(layer);
  return layer.op === "Conv" && layer.int("group", 1) === 1 && kernel.every((length) => length === 1);
}

function isWidening(layer: Node): boolean {
  const [out, into] = weightShape(layer);
  return isPointwise(layer) && out! > into!;
}

/** Softmax, or an operator that is an attention as a whole. */
function isAttention(node: Node): boolean {
  return node.op === "Softmax" || /Attention$/.test(node.op);
}
