/** Normalizations, and Dropout, which is one in training and nothing afterwards. */
import type { Semantics } from "./row.ts";

export const normalizations = {
  BatchNormalization: { normalization: [1, 2, 3, 4] },
  /** In inference it hands its input on; only with training_mode set does it draw. */
  Dropout: { movesData: true, random: true },
  GroupNormalization: { normalization: [1, 2] },
  InstanceNormalization: { normalization: [1, 2] },
  LRN: {},
  LayerNormalization: { normalization: [1, 2] },
  LpNormalization: {},
  MeanVarianceNormalization: {},
  RMSNormalization: { normalization: [1] },
  SimplifiedLayerNormalization: { normalization: [1] },
} satisfies Record<string, Semantics>;
