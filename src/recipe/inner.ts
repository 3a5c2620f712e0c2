/** @module Recipes: what the user asked for, as data, and the run that composes reading, methods, lowering and judging. */
export { Candidate, type CandidateParts } from "./candidate.ts";
export { type FineTuningInput, parseFineTuning } from "./compression-options.ts";
export { type FineTuneOptions, fineTuneModel } from "./fine-tune.ts";
export { dataPorts, type FitOptions, fitData } from "./fit-data.ts";
export type { InputOptions } from "./input-options.ts";
export { type JudgedData, judgedOnOther, judgedOnOwn } from "./judged-data.ts";
export { type MethodStep, methodNames } from "./method-options.ts";
export { parseMethod } from "./methods.ts";
export { noiseData } from "./noise-inputs.ts";
export { placeChoices, placedBy } from "./placement.ts";
export { isDataFree, type Preset, presets, runSteps } from "./presets.ts";
export { quantizeModel } from "./quantize.ts";
export { quantize } from "./quantize-any.ts";
export type { QuantizeOptions } from "./quantize-options.ts";
export type { Quantized, StepReport, TrainedModel } from "./quantized.ts";
export { clippingRanges, comparedValues } from "./report-values.ts";
export { type Run, type RunFile, type RunRequest, report, run } from "./run.ts";
export { defineConfig, parseRecipe, type Recipe, type RecipeInput, recipeJsonSchema } from "./schema.ts";
export { type Judging, scoreOf } from "./score.ts";
export {
  localScorer,
  type Score,
  type Scorer,
  type ScorerOptions,
  scorerPool,
  scorerThrough,
  serveScorer,
} from "./scorer.ts";
export { normalOf, targetOf } from "./stages.ts";
export { type TrainOptions, trainModel } from "./train.ts";
