import type { GradientRow } from "../rule.ts";
import { pending } from "./pending.ts";

export const recurrent = {
  GRU: pending,
  LSTM: pending,
  RNN: pending,
} satisfies Record<string, GradientRow>;
