/** Conditions of TensorFlow 1: Switch sends a value to one of two sides, Merge takes what arrives. */
import type { Reference, SourceNode } from "./graph.ts";

/** What a Merge waits for. */
export interface Choice {
  readonly predicate: Reference;
  /** The input that arrives when the condition holds. */
  readonly taken: number;
}

export const isMerge = (node: SourceNode): boolean => node.op === "Merge" || node.op === "RefMerge";

/** Found by going back from each of two inputs to the nearest Switch; undefined where they do not depend on the two sides of one condition. */
export function choiceOf(node: SourceNode, nodes: ReadonlyMap<string, SourceNode>): Choice | undefined {
  if (node.inputs.length !== 2) return undefined;
  const [a, b] = node.inputs.map((input) => sideOf(input, nodes));
  if (!a && !b) return undefined;
  if (a && b && (a.predicate.node !== b.predicate.node || a.side === b.side)) return undefined;
  // One side may be a constant that hangs on nothing.
  const predicate = (a ?? b)!.predicate;
  return { predicate, taken: (a ? a.side : !b!.side) ? 0 : 1 };
}

function sideOf(
  start: Reference,
  nodes: ReadonlyMap<string, SourceNode>,
): { predicate: Reference; side: boolean } | undefined {
  const queue = [start];
  const seen = new Set<string>();
  for (let at = 0; at < queue.length; at++) {
    const reference = queue[at]!;
    const node = nodes.get(reference.node);
    if (!node) continue;
    if (node.op === "Switch" || node.op === "RefSwitch") {
      const predicate = node.inputs[1];
      return predicate && { predicate, side: reference.index === 1 || reference.output === "output_true" };
    }
    if (seen.has(node.name)) continue;
    seen.add(node.name);
    queue.push(...node.inputs, ...node.controls.map((name) => ({ node: name, output: null, index: 0 })));
  }
  return undefined;
}
