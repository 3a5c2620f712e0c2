import type { GradientRow } from "../rule.ts";
import { pending } from "./pending.ts";

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
  Where: pending,
  Xor: pending,
} satisfies Record<string, GradientRow>;
