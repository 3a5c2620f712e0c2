import type { GradientRow } from "../rule.ts";
import { pending } from "./pending.ts";

export const attention = {
  Attention: pending,
  RotaryEmbedding: pending,
} satisfies Record<string, GradientRow>;
