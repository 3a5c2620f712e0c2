/** @module Quantization: grids, encodings, observers, targets, placement, calibration, lowering. */
export { biasEncoding } from "./bias-encoding.ts";
export { type CalibrateOptions, type Calibration, calibrate } from "./calibrate.ts";
export { type Encoding, encodingMax, encodingMin, type Granularity, isIntGrid, zeroPoint } from "./encoding.ts";
export { dequantize, quantize, quantizeDequantize, type TieRounding } from "./fake-quantize.ts";
export { type Bits, type Grid, gridName, type IntGrid, parseGrid, steps, storageDType } from "./grid.ts";
export { GrowingHistogram, type Histogram } from "./observers/growing-histogram.ts";
export { makeObserver } from "./observers/make-observer.ts";
export type { Observer, Scheme } from "./observers/observer.ts";
export { entriesByValue, type LeftFloat, type Plan, type PlanEntry, withEntries } from "./plan.ts";
export { type Affine, affineOfRange, encodingOfRange, type GridChoice, type RangeOptions } from "./range.ts";
export { forEachRun, gatherSlices, type SliceValues, sliceCount } from "./slices.ts";
export type { CoarseHistogram, ValueStatistics } from "./statistics.ts";
export { encodeWeight } from "./weight-encoding.ts";
export { isMoved, type PlaceOptions, place } from "./place.ts";
export type { WeightGranularity } from "./place-parameters.ts";
export { type OperatorRule, type ParameterRule, parseTarget, type Target } from "./target.ts";
export type { TargetFile } from "./target-schema.ts";
export { builtinTarget, targetFile, targetNames } from "./targets.ts";
