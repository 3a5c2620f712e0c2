/** Comparison and logic: only Where passes numbers on. */

import type { Value } from "../../ir/index.ts";
import type { Backward, GradientRow, InputGradients } from "../rule.ts";
import { pending } from "./pending.ts";

/** A mask of floats and one difference: bool masks in Where cost many times as much. */
function where(b: Backward): InputGradients {
  const taken = b.mul(b.dy, b.asFloat(b.input(0)));
  const back = (value: Value, index: number) => b.unbroadcast(value, b.outShape, b.shapeOf(index));
  return [null, b.wants(1) ? back(taken, 1) : null, b.wants(2) ? back(b.sub(b.dy, taken), 2) : null];
}

export const logic = {
  And: pending,
  Equal: pending,
  Greater: pending,
  GreaterOrEqual: pending,
  IsInf: pending,
  IsNaN: pending,
  Less: pending,
  LessOrEqual: pending,
  Not: pending,
  Or: pending,
  Where: where,
  Xor: pending,
} satisfies Record<string, GradientRow>;
