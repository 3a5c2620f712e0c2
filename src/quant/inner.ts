/** @module Quantization: grids, encodings, observers, targets, placement, calibration, lowering. */

export type { PlanContext, Stage } from "./constraints/constraint.ts";
export { constrained, leastScales, limited } from "./constraints/constraints.ts";
export {
  type PairLayout,
  pairLayouts,
  type SaturationRisk,
  saturatingPairs,
} from "./constraints/pair-saturation.ts";
export type { Ends, Grid, IntGrid, TieRounding } from "./grids/codec.ts";
export {
  type Encoding,
  encodingMax,
  encodingMin,
  endsOf,
  type Granularity,
  type TwoLevel,
  zeroPoint,
} from "./grids/encoding.ts";
export { dequantize, quantize, quantizeDequantize } from "./grids/fake-quantize.ts";
export { codecOf, gridName, isIntGrid, isScaled, parseGrid, steps, usableGrids } from "./grids/grid.ts";
export type { Bits, GridName } from "./grids/names.ts";
export { type Affine, affineOfRange, type GridChoice } from "./grids/range.ts";
export { encodingOfRange, type RangeOptions } from "./grids/ranged-encoding.ts";
export { shortWeightScale } from "./grids/short-scale.ts";
export { forEachRun, forEachStretch, gatherSlices, type SliceValues, sliceCount } from "./grids/slices.ts";
export type { StorageName } from "./grids/storage-names.ts";
export { inLevels, type TwoLevelChoice } from "./grids/two-level.ts";
export { type Grids, parseGrids } from "./grids/usable-grid.ts";
export { type Counterpart, counterparts } from "./lower/counterparts.ts";
export { type EncodingsOptions, type EncodingsVersion, writeEncodings } from "./lower/encodings-file.ts";
export { halfRefusal } from "./lower/half-constant.ts";
export { type KernelFinding, kernelReport } from "./lower/kernel-report.ts";
export { lower, requiredOpset } from "./lower/lower.ts";
export type { Lowered, LoweredProduct, LoweredValue, Shipped } from "./lower/lowered.ts";
export { readShipped } from "./lower/read-shipped.ts";
export { roundedInputs } from "./lower/rounded-inputs.ts";
export { ofSameLayer, productsByWeight } from "./lower/same-layer.ts";
export { withoutStorage } from "./lower/storage.ts";
export {
  type CalibrateOptions,
  type Calibration,
  calibrate,
  encodeObserved,
} from "./observe/calibrate.ts";
export { needsObserver, withBiasEncodings } from "./observe/encode-plan.ts";
export { aroundZero, MomentGatherer, type MomentOptions, type Moments } from "./observe/moments.ts";
export { type OutputGradientOptions, outputGradients } from "./observe/output-gradients.ts";
export { type PatchGeometry, patchGeometry, samplePatches } from "./observe/patches.ts";
export { scoresOf } from "./observe/sensitivity.ts";
export { GrowingHistogram, type Histogram } from "./observers/growing-histogram.ts";
export { makeObserver } from "./observers/make-observer.ts";
export { isAimets, type Observer, type Scheme } from "./observers/observer.ts";
export { type Gains, outputGains } from "./observers/output-gain.ts";
export { leastErrorRange } from "./observers/squared-error.ts";
export type { CoarseHistogram, ValueStatistics } from "./observers/statistics.ts";
export { encodeWeight } from "./observers/weight-encoding.ts";
export { refuseUnfit } from "./place/acceptable.ts";
export { adoptPlan } from "./place/adopt.ts";
export { layersInBodies } from "./place/bodies.ts";
export { type PlaceOptions, place } from "./place/place.ts";
export type { GridRule, WeightGranularity } from "./place/precisions.ts";
export { applyEncodings } from "./plan/apply-encodings.ts";
export { biasEncoding, biasEntry } from "./plan/bias-encoding.ts";
export { isMoved } from "./plan/entry-at.ts";
export { type ImportedPlan, importEncodings } from "./plan/import-encodings.ts";
export {
  entriesByValue,
  type HalfPrecision,
  type NotQuantized,
  type Plan,
  type PlanEntry,
  withEntries,
} from "./plan/plan.ts";
export type { EncodingsFile, FileEncoding } from "./plan/read-encodings.ts";
export { type Raised, raise } from "./raise/raise.ts";
export { isQuantizing } from "./raise/read-quantized.ts";
export { type GatherOptions, gatherStatistics } from "./statistics/gather-statistics.ts";
export { observersOf } from "./statistics/observers-of.ts";
export { type SeenValue, type Statistics, statisticsToJson } from "./statistics/statistics-file.ts";
export type { OperatorRule, ParameterRule, Target } from "./targets/target.ts";
export type { TargetFile } from "./targets/target-schema.ts";
export { builtinTarget, targetFile, targetNames } from "./targets/targets.ts";
