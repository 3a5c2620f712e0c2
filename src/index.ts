/** @module The front door: what most programs need. Everything else is a subpath; what needs a disk is in …/node. */
export {
  compareValues,
  type Evaluation,
  evaluate,
  latencies,
  type Metric,
  meanIoU,
  type Similarity,
  topK,
  type Verification,
  verify,
} from "./analysis/inner.ts";
export { AvocetError, type ErrorCode, type ProgressEvent, type Work } from "./base/inner.ts";
export { type Dataset, fromArray, fromIterable, fromTensors, samples } from "./data/inner.ts";
export { readModel, writeModel } from "./formats/inner.ts";
export { check, Model, parseModel, printModel } from "./ir/inner.ts";
export { lower, type Plan, place, planFromJson, planToJson } from "./quant/inner.ts";
export {
  defineConfig,
  parseRecipe,
  type Quantized,
  type QuantizeOptions,
  quantizeModel,
  type Recipe,
  type RecipeInput,
  type TrainedModel,
  type TrainOptions,
  trainModel,
} from "./recipe/inner.ts";
export { openRuntime, type Runtime, type Session } from "./runtime/inner.ts";
export { type DType, type Feeds, type Shape, Tensor } from "./tensor/inner.ts";
