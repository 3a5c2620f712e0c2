import type { GradientRow } from "../rule.ts";
import { pending } from "./pending.ts";

export const containers = {
  ConcatFromSequence: pending,
  Optional: pending,
  OptionalGetElement: pending,
  OptionalHasElement: pending,
  SequenceAt: pending,
  SequenceConstruct: pending,
  SequenceEmpty: pending,
  SequenceErase: pending,
  SequenceInsert: pending,
  SequenceLength: pending,
} satisfies Record<string, GradientRow>;
