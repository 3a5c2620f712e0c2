/** @module Quantization: grids, encodings, observers, targets, placement, calibration, lowering. */

export { isQuantizing, refuseUnfit } from "./acceptable.ts";
export { applyEncodings } from "./apply-encodings.ts";
export { biasEncoding, biasEntry } from "./bias-encoding.ts";
export { layersInBodies } from "./bodies.ts";
export {
  type CalibrateOptions,
  type Calibration,
  calibrate,
  encodeObserved,
  needsObserver,
  withBiasEncodings,
} from "./calibrate.ts";
export { type Counterpart, counterparts } from "./counterparts.ts";
export {
  type Encoding,
  encodingMax,
  encodingMin,
  endsOf,
  type Granularity,
  zeroPoint,
} from "./encoding.ts";
export { type EncodingsOptions, type EncodingsVersion, writeEncodings } from "./encodings-file.ts";
export { dequantize, quantize, quantizeDequantize } from "./fake-quantize.ts";
export type { Ends, Grid, IntGrid, TieRounding } from "./grids/codec.ts";
export { codecOf, gridName, isIntGrid, isScaled, parseGrid, steps, usableGrids } from "./grids/grid.ts";
export type { Bits, GridName } from "./grids/names.ts";
export { type KernelFinding, kernelReport } from "./kernel-report.ts";
export { type BiasSlot, biasSlot, setBias } from "./layer-bias.ts";
export { type LinearLayer, linearLayer, linearLayers, matrixOf, tensorOf } from "./linear-layer.ts";
export { lower, requiredOpset } from "./lower/lower.ts";
export type { Lowered, LoweredProduct, LoweredValue, Shipped } from "./lower/lowered.ts";
export { readShipped } from "./lower/read-shipped.ts";
export { ofSameLayer, productsByWeight } from "./lower/same-layer.ts";
export { MomentGatherer, type MomentOptions, type Moments } from "./moments.ts";
export { GrowingHistogram, type Histogram } from "./observers/growing-histogram.ts";
export { makeObserver } from "./observers/make-observer.ts";
export { isAimets, type Observer, type Scheme } from "./observers/observer.ts";
export {
  leastPairSafeScales,
  limitPairs,
  type PairLayout,
  pairLayouts,
  type SaturationRisk,
  saturatingPairs,
  withPairSafeScales,
} from "./pair-saturation.ts";
export { type PatchGeometry, patchGeometry, samplePatches } from "./patches.ts";
export { isMoved, type PlaceOptions, place } from "./place.ts";
export type { WeightGranularity } from "./place-parameters.ts";
export { entriesByValue, type LeftFloat, type Plan, type PlanEntry, withEntries } from "./plan.ts";
export { planFromJson, planToJson } from "./plan-json.ts";
export { protectWeightScales } from "./protect-weight-scales.ts";
export { type Affine, affineOfRange, type GridChoice } from "./range.ts";
export { encodingOfRange, type RangeOptions } from "./ranged-encoding.ts";
export { type EncodingsFile, type FileEncoding, readEncodings } from "./read-encodings.ts";
export { roundedInputs } from "./rounded-inputs.ts";
export { shortWeightScale } from "./short-scale.ts";
export { forEachRun, forEachStretch, gatherSlices, type SliceValues, sliceCount } from "./slices.ts";
export type { CoarseHistogram, ValueStatistics } from "./statistics.ts";
export { type OperatorRule, type ParameterRule, parseTarget, type Target } from "./target.ts";
export type { TargetFile } from "./target-schema.ts";
export { builtinTarget, targetFile, targetNames } from "./targets.ts";
export { type Grids, parseGrids } from "./usable-grid.ts";
export { encodeWeight } from "./weight-encoding.ts";
