/** The angle of a point, from the arc tangent of a quotient: ONNX has no operator of two arguments. */
import { choose } from "../../channels-last/axes.ts";
import { elementwise, unary } from "../../channels-last/elementwise.ts";
import type { Emitter } from "../../channels-last/emitter.ts";
import type { Term } from "../../channels-last/term.ts";

/** A scalar of the term's type. */
export const scalar = (e: Emitter, value: number, like: Term): Term => e.numbers(value, like.dtype);

/** The angle of (x, y) in all four quadrants, from the arc tangent of two. */
export function arcTangent(e: Emitter, y: Term, x: Term): Term {
  const zero = scalar(e, 0, x);
  const half = scalar(e, Math.PI / 2, x);
  const onAxis = elementwise(e, "Mul", [unary(e, "Sign", y), half]);
  const straight = unary(e, "Atan", elementwise(e, "Div", [y, x]));
  // Behind the y axis half a turn is added, up or down.
  const up = elementwise(e, "GreaterOrEqual", [y, zero], "bool");
  const turn = choose(e, up, scalar(e, Math.PI, x), scalar(e, -Math.PI, x));
  const behind = elementwise(e, "Less", [x, zero], "bool");
  const angle = choose(e, behind, elementwise(e, "Add", [straight, turn]), straight);
  return choose(e, elementwise(e, "Equal", [x, zero], "bool"), onAxis, angle);
}
