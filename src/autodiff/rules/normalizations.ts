import type { GradientRow } from "../rule.ts";
import { batchNorm } from "./batch-norm.ts";
import { pending } from "./pending.ts";

export const normalizations = {
  BatchNormalization: batchNorm,
  Dropout: pending,
  GroupNormalization: pending,
  InstanceNormalization: pending,
  LRN: pending,
  LayerNormalization: pending,
  LpNormalization: pending,
  MeanVarianceNormalization: pending,
  RMSNormalization: pending,
  SimplifiedLayerNormalization: pending,
} satisfies Record<string, GradientRow>;
