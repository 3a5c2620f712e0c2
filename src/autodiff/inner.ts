/** @module Gradients of ONNX graphs as ONNX graphs: one rule per operator, and the walk that builds the backward graph. */
export { batchStatistics, type Channels, channelsOf } from "./batch-statistics.ts";
export { traceTypes } from "./body-types.ts";
export {
  type DeferredWeightGradient,
  deferredWeightGradient,
  deferringRules,
  expandWeightGradient,
} from "./deferred.ts";
export { type DifferentiateOptions, differentiate, gradientModel, seedPrefix } from "./differentiate.ts";
export { Emitter } from "./emitter.ts";
export { type Recomputed, type RecomputeOptions, recompute } from "./recompute.ts";
export { Backward, type GradientRow, type GradientRule, type InputGradients, type Seed, type Walk } from "./rule.ts";
export { gradientRow } from "./rules.ts";
export { passStraightThrough } from "./straight-through.ts";
