/** Movements of data that undo or continue each other: Transpose after Transpose, Reshape after Reshape, Squeeze after Unsqueeze. */
import { attributeOf, type Node } from "../ir/index.ts";
import type { Pass } from "./pass.ts";
import { passOf, refuse, rule } from "./rule.ts";
import { constantInts, isOp, onlyReader } from "./walk.ts";

interface Pair {
  readonly first: Node;
  readonly second: Node;
}

function pairOf(second: Node, ...ops: readonly string[]): Pair | undefined {
  const first = second.input(0)?.producer;
  return isOp(second, ops[1]!) && isOp(first, ops[0]!) && first.graph === second.graph ? { first, second } : undefined;
}

/** Two Transposes become one, or none. */
export const mergeTransposes = rule<Pair & { perm: readonly number[] }>({
  name: "merge-transposes",
  match: (node) => {
    const pair = pairOf(node, "Transpose", "Transpose");
    const [inner, outer] = [pair?.first.ints("perm"), pair?.second.ints("perm")];
    return pair && inner && outer && { ...pair, perm: outer.map((axis) => inner[axis]!) };
  },
  check: ({ first, second, perm }) =>
    perm.every((axis, i) => axis === i) || onlyReader(first.output) === second
      ? true
      : refuse(`${first.output.name} is read elsewhere, and the two do not cancel`),
  rewrite: ({ first, second, perm }, graph) => {
    second.attributes.set("perm", attributeOf(perm));
    graph.setInput(second, 0, first.input(0));
    if (first.output.useCount === 0) graph.remove(first);
  },
});

/** Of two Reshapes the second is enough, unless it copies lengths of what the first one made. */
export const mergeReshapes = rule<Pair>({
  name: "merge-reshapes",
  match: (node) => pairOf(node, "Reshape", "Reshape") ?? pairOf(node, "Flatten", "Reshape"),
  check: ({ second }) => {
    const target = constantInts(second.input(1));
    if (!target) return refuse("its target is computed");
    return target.includes(0) ? refuse("its target copies a length of the shape before") : true;
  },
  rewrite: ({ first, second }, graph) => {
    graph.setInput(second, 0, first.input(0));
    if (first.output.useCount === 0) graph.remove(first);
  },
});

/** Squeeze takes away exactly what Unsqueeze has just added, or the other way round. */
export const cancelSqueeze = rule<Pair>({
  name: "cancel-squeeze",
  match: (node) => {
    const pair = pairOf(node, "Unsqueeze", "Squeeze") ?? pairOf(node, "Squeeze", "Unsqueeze");
    if (!pair) return undefined;
    const [a, b] = [axesOf(pair.first), axesOf(pair.second)];
    return a && b && a.length === b.length && a.every((axis, i) => axis >= 0 && axis === b[i]) ? pair : undefined;
  },
  check: ({ first, second }) =>
    second.output.isGraphOutput && !first.input(0)!.producer
      ? refuse(`${second.output.name} is a graph output and ${first.input(0)!.name} is not computed`)
      : true,
  rewrite: ({ first, second }, graph) => {
    graph.replaceUses(second.output, first.input(0)!);
    graph.remove(second);
    if (first.output.useCount === 0) graph.remove(first);
  },
});

function axesOf(node: Node): number[] | undefined {
  const axes = node.ints("axes") ?? constantInts(node.input(1));
  return axes && [...axes].sort((a, b) => a - b);
}

export const cancelMovement: Pass = passOf("cancel-movement", [mergeTransposes, mergeReshapes, cancelSqueeze]);
