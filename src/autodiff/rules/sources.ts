import type { GradientRow } from "../rule.ts";
import { pending } from "./pending.ts";

export const sources = {
  Bernoulli: pending,
  BlackmanWindow: pending,
  Constant: pending,
  ConstantOfShape: pending,
  EyeLike: pending,
  HammingWindow: pending,
  HannWindow: pending,
  MelWeightMatrix: pending,
  Multinomial: pending,
  RandomNormal: pending,
  RandomNormalLike: pending,
  RandomUniform: pending,
  RandomUniformLike: pending,
  Range: pending,
} satisfies Record<string, GradientRow>;
