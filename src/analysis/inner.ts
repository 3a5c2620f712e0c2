/** @module Judging: metrics, agreement, similarity of values, verification, latency, cost. Model and data in, plain data out. */
export { Agreement } from "./agreement.ts";
export { attempt, attemptNow, type Unjudged } from "./attempt.ts";
export { argmaxClasses, type ScoreLayout, scoreLayout } from "./classes.ts";
export { type ClippingOptions, clippedShares, type ValueRange } from "./clipping.ts";
export {
  bootstrapInterval,
  type Interval,
  mcNemar,
  meanInterval,
  pairedInterval,
  wilsonInterval,
} from "./confidence.ts";
export { macsOf, macsOfNode, parametersOf, type Shapes } from "./cost.ts";
export { type Decisions, type DecisionUnit, decisionLayout } from "./decision-layout.ts";
export { batchOf, type EvaluateOptions, type Evaluation, evaluate, evaluateAll, type Judged } from "./evaluate.ts";
export { type Example, Examples } from "./examples.ts";
export { type KernelLoss, type KernelTime, kernelLosses, kernelTimes, type Profiler } from "./kernel-times.ts";
export { type LatencyOptions, latencies, median } from "./latency.ts";
export { type LayerCost, layerCosts } from "./layer-costs.ts";
export { type LayerDifference, type LayerDifferenceOptions, layerDifferences } from "./layer-difference.ts";
export { type PeakMemory, peakActivations } from "./memory.ts";
export { type PairedScores, pairedScores, scoreInterval } from "./metrics/certainty.ts";
export type { BoxDecoding, CtcDecoding, Decoding } from "./metrics/decoding.ts";
export { meanAveragePrecision, type PrecisionOptions } from "./metrics/mean-average-precision.ts";
export { meanIoU } from "./metrics/mean-iou.ts";
export {
  type BatchLabels,
  type Guessing,
  type LabelKind,
  lossOf,
  type Metric,
  type MetricOptions,
  type Tally,
} from "./metrics/metric.ts";
export { positionAccuracy } from "./metrics/position-accuracy.ts";
export { type PsnrOptions, psnr } from "./metrics/psnr.ts";
export { recallAt } from "./metrics/retrieval.ts";
export { sameClass } from "./metrics/same-class.ts";
export { type MetricRow, metricDocument, metricNamed, metricRows, metricTable } from "./metrics/table.ts";
export { textError } from "./metrics/text-error.ts";
export { topK } from "./metrics/top-k.ts";
export type { Cells, ShownBox, View } from "./metrics/views.ts";
export { OutputDifference } from "./output-difference.ts";
export { type ClassAxis, type MeaningOptions, type OutputMeaning, outputMeanings } from "./output-meaning.ts";
export type { LayerSensitivity, Sensitivities, SensitivityCandidate } from "./sensitivities.ts";
export { nearestFloats, outputSignals, signalNames } from "./signal-names.ts";
export { compareValues, type Similarity, type SimilarityOptions, sampleSqnrs, type ValuePair } from "./similarity.ts";
export {
  type AgreementShares,
  type MeasuredLatency,
  type Verification,
  type VerifiedFile,
  type VerifiedOutput,
  type VerifyOptions,
  verify,
} from "./verify.ts";
export { comparedChannels, type WeightChange, type WeightSide, weightChanges } from "./weight-changes.ts";
export { type ChannelWeights, type WeightRanges, weightRanges } from "./weight-ranges.ts";
