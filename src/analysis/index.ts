/** @module Judging: metrics, agreement, similarity of values, verification, latency, cost. Model and data in, plain data out. */
export { Agreement } from "./agreement.ts";
export { argmaxClasses, type ScoreLayout, scoreLayout } from "./classes.ts";
export { type ClippingOptions, clippedShares, type ValueRange } from "./clipping.ts";
export { macsOf, macsOfNode, parametersOf, type Shapes } from "./cost.ts";
export { batchOf, type EvaluateOptions, type Evaluation, evaluate, evaluateAll, type Judged } from "./evaluate.ts";
export { type LatencyOptions, latencies, median } from "./latency.ts";
export { type LayerDifference, type LayerDifferenceOptions, layerDifferences } from "./layer-difference.ts";
export { type PeakMemory, peakActivations } from "./memory.ts";
export { type Metric, meanIoU, topK } from "./metric.ts";
export { signalNames } from "./signal-names.ts";
export { compareValues, type Similarity, type SimilarityOptions, type ValuePair } from "./similarity.ts";
export { type Verification, type VerifiedFile, type VerifyOptions, verify } from "./verify.ts";
