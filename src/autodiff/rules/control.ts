import type { GradientRow } from "../rule.ts";
import { pending } from "./pending.ts";

export const control = {
  If: pending,
  Loop: pending,
  Scan: pending,
  SequenceMap: pending,
} satisfies Record<string, GradientRow>;
