/** Puts a node of another kind in the place of a node. Operators of nodes never change; the values keep their names. */
import { type AttributeLike, addNode, type Node, type Value } from "../ir/inner.ts";

export interface Replacement {
  readonly op: string;
  readonly domain?: string;
  readonly inputs: readonly (Value | null)[];
  readonly attributes?: Readonly<Record<string, AttributeLike>>;
  /** How many outputs of the old node stay, from the first on. Default: all. */
  readonly outputs?: number;
}

/** The new node; its outputs have the names, types and readers of the old ones. */
export function replaceNode(node: Node, { op, domain = "", inputs, attributes = {}, outputs }: Replacement): Node {
  const graph = node.graph!;
  const kept = node.outputs.slice(0, outputs ?? node.outputs.length);
  const made = addNode(graph, op, inputs, attributes, {
    domain,
    name: node.name,
    outputs: kept.map((value) => value.name),
    place: { before: node },
  });
  made.docString = node.docString;
  for (const [key, value] of node.metadata) made.metadata.set(key, value);
  kept.forEach((old, i) => {
    if (old.name !== "") takeOver(old, made.outputs[i]!);
  });
  graph.remove(node);
  return made;
}

/** `next` gets the readers, the name and all that is known of `old`, which stays behind without any. */
export function takeOver(old: Value, next: Value): void {
  const graph = old.graph!;
  const { name } = old;
  next.type = old.type;
  next.docString = old.docString;
  for (const [key, value] of old.metadata) next.metadata.set(key, value);
  graph.replaceUses(old, next);
  if (next.name === name) return;
  graph.setAside(old);
  graph.rename(next, name);
}
