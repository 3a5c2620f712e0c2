import type { GradientRow } from "../rule.ts";
import { pending } from "./pending.ts";

export const reductions = {
  ArgMax: pending,
  ArgMin: pending,
  ReduceL1: pending,
  ReduceL2: pending,
  ReduceLogSum: pending,
  ReduceLogSumExp: pending,
  ReduceMax: pending,
  ReduceMean: pending,
  ReduceMin: pending,
  ReduceProd: pending,
  ReduceSum: pending,
  ReduceSumSquare: pending,
} satisfies Record<string, GradientRow>;
