/** Operators along one axis. */
import type { Backward, GradientRow, InputGradients } from "../rule.ts";
import { pending } from "./pending.ts";

function axisOf(b: Backward): number {
  const axis = b.node.int("axis", -1);
  return axis < 0 ? axis + b.outShape.length : axis;
}

/** dx = y · (dy − Σ dy · y). */
function softmax(b: Backward): InputGradients {
  const { dy, y } = b;
  const weighed = b.mul(dy, y);
  return [b.sub(weighed, b.mul(y, b.sum(weighed, [axisOf(b)], true)))];
}

/** dx = dy − softmax(x) · Σ dy. */
function logSoftmax(b: Backward): InputGradients {
  return [b.sub(b.dy, b.mul(b.op("Exp", [b.y]), b.sum(b.dy, [axisOf(b)], true)))];
}

export const alongAxis = {
  CumProd: pending,
  CumSum: pending,
  Hardmax: pending,
  LogSoftmax: logSoftmax,
  Softmax: softmax,
} satisfies Record<string, GradientRow>;
