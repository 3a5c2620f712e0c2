/**
 * Weight gradients as one node each, `avocet.ConvWeightGradient(x, dy)`, for those who choose the form later: a pass that
 * changes layouts sees what is meant and not how it was written. The node exists while a graph is built, in no file.
 */
import type { Node, Value } from "../ir/inner.ts";
import type { Shape } from "../tensor/inner.ts";
import type { Emitter } from "./emitter.ts";
import type { Backward, GradientRow } from "./rule.ts";
import { convWeightGradient } from "./rules/linear/conv-weight.ts";
import { convGradients } from "./rules/linear/linear.ts";
import type { Window } from "./window.ts";

const domain = "avocet";

/** What such a node says next to its inputs x [N, I, …] and dy [N, O, …]. */
export interface DeferredWeightGradient {
  readonly x: Value;
  readonly dy: Value;
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  readonly groups: number;
  readonly window: Window;
}

/** For `rules` of `differentiate`. The graph cannot run until `expandWeightGradient` has replaced every such node. */
export const deferringRules: ReadonlyMap<string, GradientRow> = new Map([
  ["Conv", (b: Backward) => convGradients(b, b.dy, defer)],
]);

const defer: typeof convWeightGradient = (e, x, inputShape, dy, outputShape, groups, window) =>
  e.op(
    "ConvWeightGradient",
    [x, dy],
    {
      input_shape: [...inputShape],
      output_shape: [...outputShape],
      group: groups,
      kernel_shape: [...window.kernel],
      strides: [...window.strides],
      dilations: [...window.dilations],
      pads: [...window.begin, ...window.end],
    },
    { domain },
  );

/** What a node says, or null where it is none of these. */
export function deferredWeightGradient(node: Node): DeferredWeightGradient | null {
  if (node.domain !== domain || node.op !== "ConvWeightGradient") return null;
  const ints = (name: string) => node.ints(name, []);
  const pads = ints("pads");
  const rank = pads.length / 2;
  return {
    x: node.input(0)!,
    dy: node.input(1)!,
    inputShape: ints("input_shape"),
    outputShape: ints("output_shape"),
    groups: node.int("group", 1),
    window: {
      kernel: ints("kernel_shape"),
      strides: ints("strides"),
      dilations: ints("dilations"),
      begin: pads.slice(0, rank),
      end: pads.slice(rank),
    },
  };
}

/** Writes the gradient in standard operators; the value [O, I / groups, k…]. */
export function expandWeightGradient(e: Emitter, one: DeferredWeightGradient): Value {
  return convWeightGradient(e, one.x, one.inputShape, one.dy, one.outputShape, one.groups, one.window);
}
