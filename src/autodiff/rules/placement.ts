import type { GradientRow } from "../rule.ts";
import { pending } from "./pending.ts";

export const placement = {
  Col2Im: pending,
  Concat: pending,
  NonZero: pending,
  OneHot: pending,
  Scatter: pending,
  ScatterElements: pending,
  ScatterND: pending,
  Shape: pending,
  Size: pending,
  TensorScatter: pending,
} satisfies Record<string, GradientRow>;
