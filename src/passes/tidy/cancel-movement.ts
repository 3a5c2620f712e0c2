/** Movements of data that undo or continue each other: Transpose after Transpose, Reshape after Reshape, Squeeze after Unsqueeze. */

import { refuse } from "../../base/inner.ts";
import { axesOf, constantNumbers, isOp, onlyReader } from "../../facts/inner.ts";
import { attributeOf, type Node } from "../../ir/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import type { Pass } from "../pass.ts";
import { replaceNode } from "../replace-node.ts";
import { passOf, rule } from "../rule.ts";

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
    if (!pair || !inner || inner.length !== outer?.length) return undefined;
    return { ...pair, perm: outer.map((axis) => inner[axis]!) };
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

/** Behind anything that only changes the shape a Reshape is enough, unless it copies lengths of what it is given. */
export const mergeReshapes = rule<Pair>({
  name: "merge-reshapes",
  match: (node) => {
    const pairs = ["Reshape", "Flatten", "Squeeze", "Unsqueeze"].map((first) => pairOf(node, first, "Reshape"));
    return pairs.find((pair) => pair !== undefined);
  },
  check: ({ second }) => {
    const target = constantNumbers(second.input(1));
    if (!target) return refuse("its target is computed");
    return target.includes(0) ? refuse("its target copies a length of the shape before") : true;
  },
  rewrite: ({ first, second }, graph) => {
    graph.setInput(second, 0, first.input(0));
    if (first.output.useCount === 0) graph.remove(first);
  },
});

/** A Reshape makes the ones itself that an Unsqueeze behind it adds, and leaves out those that a Squeeze takes away. */
export const reshapeAtOnce = rule<Pair & { target: readonly number[] }>({
  name: "reshape-at-once",
  match: (node) => {
    const pair = pairOf(node, "Reshape", "Unsqueeze") ?? pairOf(node, "Reshape", "Squeeze");
    const target = constantNumbers(pair?.first.input(1));
    const axes = pair && givenAxes(pair.second);
    if (!pair || !target || !axes || pair.first.int("allowzero", 0) !== 0) return undefined;
    const rank = isOp(pair.second, "Unsqueeze") ? target.length + axes.length : target.length;
    const at = axesOf(axes, rank);
    if (!at) return undefined;
    // A zero copies the length of the same axis, so nothing before it may move.
    if (target.lastIndexOf(0) >= Math.min(...at)) return undefined;
    if (isOp(pair.second, "Squeeze")) {
      return [...at].every((axis) => target[axis] === 1)
        ? { ...pair, target: target.filter((_, i) => !at.has(i)) }
        : undefined;
    }
    const rest = [...target];
    return { ...pair, target: Array.from({ length: rank }, (_, axis) => (at.has(axis) ? 1 : rest.shift()!)) };
  },
  check: ({ first, second }) =>
    onlyReader(first.output) === second ? true : refuse(`${first.output.name} is read elsewhere`),
  rewrite: ({ first, second, target }, graph) => {
    const shape = graph.addInitializer(`${second.output.name}_shape`, Tensor.int64([target.length], target));
    replaceNode(second, { op: "Reshape", inputs: [first.input(0), shape] });
    graph.remove(first);
  },
});

/** Squeeze takes away exactly what Unsqueeze has just added, or the other way round. */
export const cancelSqueeze = rule<Pair>({
  name: "cancel-squeeze",
  match: (node) => {
    const pair = pairOf(node, "Unsqueeze", "Squeeze") ?? pairOf(node, "Squeeze", "Unsqueeze");
    if (!pair) return undefined;
    const [a, b] = [givenAxes(pair.first), givenAxes(pair.second)];
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

function givenAxes(node: Node): number[] | undefined {
  const axes = node.ints("axes") ?? constantNumbers(node.input(1));
  return axes && [...axes].sort((a, b) => a - b);
}

export const cancelMovement: Pass = passOf("cancel-movement", [
  mergeTransposes,
  mergeReshapes,
  cancelSqueeze,
  reshapeAtOnce,
]);
