/** Comparison and logic: only Where passes numbers on. */

import type { Value } from "../../../ir/inner.ts";
import type { Backward, GradientRow, InputGradients } from "../../rule.ts";

/** A mask of floats and one difference: bool masks in Where cost many times as much. */
function where(b: Backward): InputGradients {
  const taken = b.mul(b.dy, b.asFloat(b.input(0)));
  const back = (value: Value, index: number) => b.unbroadcast(value, b.outShape, b.shapeOf(index));
  return [null, b.wants(1) ? back(taken, 1) : null, b.wants(2) ? back(b.sub(b.dy, taken), 2) : null];
}

const truth = { flat: "truth values have no gradient" } as const;

export const logic = {
  And: truth,
  Equal: truth,
  Greater: truth,
  GreaterOrEqual: truth,
  IsInf: truth,
  IsNaN: truth,
  Less: truth,
  LessOrEqual: truth,
  Not: truth,
  Or: truth,
  Where: where,
  Xor: truth,
} satisfies Record<string, GradientRow>;
