/** The straight-through estimator (Bengio et al., 2013): a step that is flat in truth passes gradients on unchanged. */
import type { Node } from "../ir/inner.ts";

const key = "avocet.gradient";

/** Notes on a node that its gradient is that of Identity: its first input gets what arrives at its first output. */
export function passStraightThrough(node: Node): void {
  node.metadata.set(key, "straight-through");
}

export function isStraightThrough(node: Node): boolean {
  return node.metadata.get(key) === "straight-through";
}
