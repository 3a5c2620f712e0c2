/**
 * Shape arithmetic that is known before running becomes constants, and a Reshape or Expand that spells out lengths of
 * its own input copies them instead: `[batch of x, −1]` becomes `[0, −1]`, and the whole chain that computed it goes.
 */

import { refuse } from "../../base/inner.ts";
import { type Computed, constantOf, isOp, type Length, LengthTable, numbersOf } from "../../facts/inner.ts";
import type { Node } from "../../ir/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import type { Pass } from "../pass.ts";
import { passOf, type Rule, rule } from "../rule.ts";

/** What computes lengths, where all of them are numbers. */
function foldKnownShape(table: LengthTable): Rule {
  return rule<{ node: Node; known: Computed; numbers: readonly number[] }>({
    name: "fold-known-shape",
    match: (node) => {
      if (isOp(node, "Constant") || node.outputs.length !== 1) return undefined;
      const known = table.elements(node.output);
      const numbers = numbersOf(known);
      return known && numbers && { node, known, numbers };
    },
    check: ({ node }) => (node.output.isGraphOutput ? refuse(`${node.output.name} is a graph output`) : true),
    rewrite: ({ node, known: { dtype, shape }, numbers }, graph) => {
      const tensor =
        dtype === "int64" ? Tensor.int64(shape, numbers) : Tensor.of(dtype, shape, Int32Array.from(numbers));
      const made = graph.addInitializer(node.output.name, tensor);
      graph.replaceUses(node.output, made);
      graph.remove(node);
    },
  });
}

interface Target {
  readonly node: Node;
  readonly target: readonly number[] | undefined;
}

/** A Reshape or Expand whose computed target is made of numbers and lengths of its own, but for one. */
function simplifyTarget(table: LengthTable): Rule {
  return rule<Target>({
    name: "simplify-target",
    match: (node) => {
      if (!isOp(node, "Reshape", "Expand") || node.int("allowzero", 0) !== 0 || constantOf(node.input(1)))
        return undefined;
      const target = table.elements(node.input(1))?.elements;
      if (!target) return undefined;
      const own = table.of(node.input(0));
      return { node, target: isOp(node, "Reshape") ? reshapeTo(target, own) : expandTo(target, own) };
    },
    check: ({ target }) => (target ? true : refuse("several lengths of its target are known only when it runs")),
    rewrite: ({ node, target }, graph) => {
      graph.setInput(
        node,
        1,
        graph.addInitializer(`${node.output.name}_shape`, Tensor.int64([target!.length], target!)),
      );
    },
  });
}

function reshapeTo(target: readonly Length[], own: readonly Length[] | undefined): number[] | undefined {
  const made = target.map((length, axis) => {
    if (typeof length === "number") return length;
    return own?.[axis] === length ? 0 : undefined;
  });
  const open = made.filter((length) => length === undefined || length === -1).length;
  return open <= 1 ? made.map((length) => length ?? -1) : undefined;
}

/** In Expand a one keeps the input's own length. */
function expandTo(target: readonly Length[], own: readonly Length[] | undefined): number[] | undefined {
  if (!own) return undefined;
  const made = target.map((length, i) => {
    if (typeof length === "number") return length;
    return own[i - (target.length - own.length)] === length ? 1 : undefined;
  });
  return made.every((length) => length !== undefined) ? made : undefined;
}

export const foldShapes: Pass = {
  name: "fold-shapes",
  run(model, note) {
    const interesting = [...model.graph.nodes].some((node) => isOp(node, "Shape"));
    if (!interesting) return 0;
    const table = new LengthTable(model);
    return passOf("fold-shapes", [foldKnownShape(table), simplifyTarget(table)]).run(model, note);
  },
};
