import type { GradientRow } from "../rule.ts";
import { pending } from "./pending.ts";

export const alongAxis = {
  CumProd: pending,
  CumSum: pending,
  Hardmax: pending,
  LogSoftmax: pending,
  Softmax: pending,
} satisfies Record<string, GradientRow>;
