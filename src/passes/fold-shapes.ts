/**
 * Shape arithmetic that is known before running becomes constants, and a Reshape that spells out lengths of its own
 * input copies them instead: `[batch of x, −1]` becomes `[0, −1]`, and the whole chain that computed it goes.
 */
import type { Node } from "../ir/index.ts";
import { Tensor } from "../tensor/index.ts";
import type { Pass } from "./pass.ts";
import { passOf, refuse, rule } from "./rule.ts";
import { computedLengths, type Length, lengthsOf } from "./symbolic-dims.ts";
import { constantOf, isOp } from "./walk.ts";

/** Shape and Gather of it, where all lengths asked for are numbers. */
export const foldKnownShape = rule<{ node: Node; shape: readonly number[]; lengths: readonly number[] }>({
  name: "fold-shapes",
  match: (node) => {
    if (!isOp(node, "Shape", "Gather", "Slice", "Concat") || constantOf(node.output)) return undefined;
    const known = computedLengths(node.output);
    if (!known?.elements.every((n) => typeof n === "number")) return undefined;
    return { node, shape: known.rank === 0 ? [] : [known.elements.length], lengths: known.elements as number[] };
  },
  check: ({ node }) => (node.output.isGraphOutput ? refuse(`${node.output.name} is a graph output`) : true),
  rewrite: ({ node, shape, lengths }, graph) => {
    const made = graph.addInitializer(node.output.name, Tensor.int64(shape, lengths));
    graph.replaceUses(node.output, made);
    graph.remove(node);
  },
});

/** A Reshape whose target is computed from shapes, all but one of which are numbers or its own. */
export const simplifyReshape = rule<{ node: Node; target: readonly number[] | undefined }>({
  name: "simplify-reshape",
  match: (node) => {
    if (!isOp(node, "Reshape") || node.int("allowzero", 0) !== 0 || !node.input(0) || constantOf(node.input(1)))
      return undefined;
    const target = computedLengths(node.input(1));
    return target && { node, target: targetOf(target.elements, lengthsOf(node.input(0)!)) };
  },
  check: ({ target }) => (target ? true : refuse("more than one length of its target is known only when it runs")),
  rewrite: ({ node, target }, graph) => {
    graph.setInput(node, 1, graph.addInitializer(`${node.output.name}_shape`, Tensor.int64([target!.length], target!)));
  },
});

function targetOf(target: readonly Length[], own: readonly Length[] | undefined): number[] | undefined {
  const made = target.map((length, axis) => {
    if (typeof length === "number") return length;
    return own?.[axis] === length ? 0 : undefined;
  });
  // A computed length of zero would be read as "copy".
  if (target.includes(0)) return undefined;
  const open = made.filter((length) => length === undefined || length === -1).length;
  return open <= 1 ? made.map((length) => length ?? -1) : undefined;
}

export const foldShapes: Pass = passOf("fold-shapes", [foldKnownShape, simplifyReshape]);
