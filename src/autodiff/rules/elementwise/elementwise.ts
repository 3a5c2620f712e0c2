/** What most element-wise rules share: one derivative, and the sum over what broadcasting repeated. */
import type { Value } from "../../../ir/inner.ts";
import type { Backward, GradientRule } from "../../rule.ts";

/** y = f(x): dx = dy · f′, where f′ is written from x or from y, whichever is shorter. */
export const slope =
  (derivative: (b: Backward) => Value): GradientRule =>
  (b) => [b.mul(b.dy, derivative(b))];

/** Operands that broadcast: one partial gradient of the output's shape for each input that wants one. */
export const broadcast =
  (partial: (b: Backward, index: number) => Value): GradientRule =>
  (b) =>
    b.node.inputs.map((_, index) =>
      b.wants(index) ? b.unbroadcast(partial(b, index), b.outShape, b.shapeOf(index)) : null,
    );
