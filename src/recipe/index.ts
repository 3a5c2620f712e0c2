/** @module Recipes: what the user asked for, as data, and the run that composes reading, methods, lowering and judging. */
export { buildReport, type ReportParts } from "./build-report.ts";
export { type DataFreeContext, dataFreeQuantization } from "./data-free.ts";
export { methodNames, parseMethod } from "./methods.ts";
export { type Preset, presets } from "./presets.ts";
export { type Quantized, type QuantizeOptions, quantizeModel, type StepReport } from "./quantize.ts";
export { clippingRanges, comparedValues } from "./report-values.ts";
export {
  defineConfig,
  type MethodStep,
  parseRecipe,
  type Recipe,
  type RecipeInput,
  recipeJsonSchema,
} from "./schema.ts";
