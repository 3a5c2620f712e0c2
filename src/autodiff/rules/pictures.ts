import type { GradientRow } from "../rule.ts";
import { pending } from "./pending.ts";

export const pictures = {
  AffineGrid: pending,
  Det: pending,
  GridSample: pending,
  ImageDecoder: pending,
  NonMaxSuppression: pending,
  Resize: pending,
  Upsample: pending,
} satisfies Record<string, GradientRow>;
