import type { GradientRow } from "../rule.ts";
import { pending } from "./pending.ts";

export const signals = {
  DFT: pending,
  STFT: pending,
} satisfies Record<string, GradientRow>;
