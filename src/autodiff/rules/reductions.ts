/** Reductions: what flows back to an element is what its sum got, times its share. */
import type { Value } from "../../ir/index.ts";
import type { Shape } from "../../tensor/index.ts";
import type { Backward, GradientRow, GradientRule } from "../rule.ts";
import { pending } from "./pending.ts";

/** The axes that a node reduces, ascending; none: it passes its input on. */
function axesOf(b: Backward): readonly number[] {
  const rank = b.shapeOf(0).length;
  const given = b.constantInts(1) ?? [];
  if (given.length > 0) return given.map((axis) => (axis + rank) % rank).toSorted((a, c) => a - c);
  return b.node.int("noop_with_empty_axes", 0) ? [] : b.shapeOf(0).map((_, axis) => axis);
}

/**
 * A rule for a reduction: `partial` gets the gradient and the output with the reduced axes kept as ones, and the number
 * of elements that were reduced to one; what it gives is broadcast over the input.
 */
const reduction =
  (partial: (b: Backward, dy: Value, y: Value, count: number) => Value): GradientRule =>
  (b) => {
    const shape = b.shapeOf(0);
    const axes = axesOf(b);
    const kept: Shape = shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
    const wide = (value: Value) => (b.outShape.length === kept.length ? value : b.reshape(value, kept));
    const count = axes.reduce((product, axis) => product * shape[axis]!, 1);
    return [b.expand(partial(b, wide(b.dy), wide(b.y), count), shape)];
  };

export const reductions = {
  ArgMax: pending,
  ArgMin: pending,
  ReduceL1: pending,
  ReduceL2: pending,
  ReduceLogSum: pending,
  ReduceLogSumExp: pending,
  ReduceMax: pending,
  ReduceMean: reduction((b, dy, _, count) => b.mul(dy, 1 / count)),
  ReduceMin: pending,
  ReduceProd: pending,
  ReduceSum: reduction((_, dy) => dy),
  ReduceSumSquare: pending,
} satisfies Record<string, GradientRow>;
