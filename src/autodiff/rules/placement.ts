/** Operators that put elements somewhere. */
import type { Backward, GradientRow, InputGradients } from "../rule.ts";
import { pending } from "./pending.ts";

/** Each input gets its stretch of the gradient. */
function concat(b: Backward): InputGradients {
  const rank = b.outShape.length;
  const axis = (b.node.int("axis", 0) + rank) % rank;
  let at = 0;
  return b.node.inputs.map((_, index) => {
    const start = at;
    at += b.shapeOf(index)[axis]!;
    return b.wants(index) ? b.slice(b.dy, [axis], [start], [at]) : null;
  });
}

export const placement = {
  Col2Im: pending,
  Concat: concat,
  NonZero: pending,
  OneHot: pending,
  Scatter: pending,
  ScatterElements: pending,
  ScatterND: pending,
  Shape: pending,
  Size: pending,
  TensorScatter: pending,
} satisfies Record<string, GradientRow>;
