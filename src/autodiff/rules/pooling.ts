import type { GradientRow } from "../rule.ts";
import { pending } from "./pending.ts";

export const pooling = {
  AveragePool: pending,
  GlobalAveragePool: pending,
  GlobalLpPool: pending,
  GlobalMaxPool: pending,
  LpPool: pending,
  MaxPool: pending,
  MaxRoiPool: pending,
  MaxUnpool: pending,
  RoiAlign: pending,
} satisfies Record<string, GradientRow>;
