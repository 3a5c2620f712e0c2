/** @module Judging: metrics, agreement, similarity of values, verification, latency, cost. Model and data in, plain data out. */
export { Agreement } from "./agreement.ts";
export { attempt, attemptNow, type Unjudged } from "./attempt.ts";
export { argmaxClasses, type ScoreLayout, scoreLayout } from "./classes.ts";
export { type ClippingOptions, clippedShares, type ValueRange } from "./clipping.ts";
export { bootstrapInterval, type Interval, mcNemar, pairedInterval, wilsonInterval } from "./confidence.ts";
export { macsOf, macsOfNode, parametersOf, type Shapes } from "./cost.ts";
export { type Decisions, type DecisionUnit, decisionLayout } from "./decision-layout.ts";
export { batchOf, type EvaluateOptions, type Evaluation, evaluate, evaluateAll, type Judged } from "./evaluate.ts";
export { type LatencyOptions, latencies, median } from "./latency.ts";
export { type LayerDifference, type LayerDifferenceOptions, layerDifferences } from "./layer-difference.ts";
export { meanIoU } from "./mean-iou.ts";
export { type PeakMemory, peakActivations } from "./memory.ts";
export {
  type Guessing,
  type Metric,
  type MetricOptions,
  type PairedScores,
  pairedScores,
  scoreInterval,
  type Tally,
} from "./metric.ts";
export { OutputDifference } from "./output-difference.ts";
export { type ClassAxis, type MeaningOptions, type OutputMeaning, outputMeanings } from "./output-meaning.ts";
export { positionAccuracy } from "./position-accuracy.ts";
export { nearestFloats, outputSignals, signalNames } from "./signal-names.ts";
export { compareValues, type Similarity, type SimilarityOptions, type ValuePair } from "./similarity.ts";
export { topK } from "./top-k.ts";
export {
  type AgreementShares,
  type Verification,
  type VerifiedFile,
  type VerifiedOutput,
  type VerifyOptions,
  verify,
} from "./verify.ts";
