/** Reductions: what flows back to an element is what its sum got, times its share. */
import type { Value } from "../../../ir/inner.ts";
import type { Shape } from "../../../tensor/inner.ts";
import type { Backward, GradientRow, GradientRule } from "../../rule.ts";

/** The axes that a node reduces, ascending; none: it passes its input on. */
function axesOf(b: Backward): readonly number[] {
  const rank = b.shapeOf(0).length;
  const given = b.constantNumbers(1) ?? [];
  if (given.length > 0) return given.map((axis) => (axis + rank) % rank).toSorted((a, c) => a - c);
  return b.node.int("noop_with_empty_axes", 0) ? [] : b.shapeOf(0).map((_, axis) => axis);
}

/** A rule for a reduction: `partial` gets the gradient and the output with the reduced axes kept as ones, and the axes. */
const reduction =
  (partial: (b: Backward, dy: Value, y: Value, axes: readonly number[]) => Value): GradientRule =>
  (b) => {
    const shape = b.shapeOf(0);
    const axes = axesOf(b);
    const kept: Shape = shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
    const wide = (value: Value) => (b.outShape.length === kept.length ? value : b.reshape(value, kept));
    return [partial(b, wide(b.dy), wide(b.y), axes)];
  };

/** The same gradient for all that was reduced to one, times what it counts for. */
const spread = (b: Backward, dy: Value, share = 1): Value => {
  const shape = b.shapeOf(0);
  return b.expand(share === 1 ? dy : b.mul(dy, share), shape);
};

function mean(b: Backward, dy: Value, axes: readonly number[]): Value {
  const shape = b.shapeOf(0);
  return spread(b, dy, 1 / axes.reduce((product, axis) => product * shape[axis]!, 1));
}

/** dx = dy · x / ‖x‖, and zero where all is zero. */
function norm(b: Backward, dy: Value, y: Value): Value {
  return b.mul(b.input(0), b.div(dy, b.op("Max", [y, b.scalar(1e-30)])));
}

/** The largest (or smallest) element gets the gradient; equal ones share it evenly. */
function extreme(b: Backward, dy: Value, y: Value, axes: readonly number[]): Value {
  const mask = b.same(b.input(0), y);
  return b.mul(mask, b.div(dy, b.sum(mask, axes, true)));
}

/** The product of all others: y / x where nothing is zero; where one element is, it alone has a gradient. */
function product(b: Backward, dy: Value, _: Value, axes: readonly number[]): Value {
  const x = b.input(0);
  const isZero = b.same(x, b.scalar(0));
  const zeros = b.sum(isZero, axes, true);
  const others = b.add(x, isZero);
  const rest = axes.length === 0 ? others : b.op("ReduceProd", [others, b.ints(axes)], { keepdims: 1 });
  const counts = b.add(b.within(zeros, 0.5), b.mul(isZero, b.within(b.sub(zeros, b.scalar(1)), 0.5)));
  return b.mul(b.mul(dy, b.div(rest, others)), counts);
}

const places = { flat: "places of elements have no gradient" } as const;

export const reductions = {
  ArgMax: places,
  ArgMin: places,
  ReduceL1: reduction((b, dy) => b.mul(b.sign(b.input(0)), dy)),
  ReduceL2: reduction(norm),
  ReduceLogSum: reduction((b, dy, y) => spread(b, b.div(dy, b.op("Exp", [y])))),
  ReduceLogSumExp: reduction((b, dy, y) => b.mul(b.op("Exp", [b.sub(b.input(0), y)]), dy)),
  ReduceMax: reduction(extreme),
  ReduceMean: reduction((b, dy, _, axes) => mean(b, dy, axes)),
  ReduceMin: reduction(extreme),
  ReduceProd: reduction(product),
  ReduceSum: reduction((b, dy) => spread(b, dy)),
  ReduceSumSquare: reduction((b, dy) => b.mul(b.input(0), b.mul(dy, 2))),
} satisfies Record<string, GradientRow>;
