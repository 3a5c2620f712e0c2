import type { GradientRow } from "../rule.ts";
import { pending } from "./pending.ts";

export const losses = {
  NegativeLogLikelihoodLoss: pending,
  SoftmaxCrossEntropyLoss: pending,
} satisfies Record<string, GradientRow>;
