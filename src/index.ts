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
} from "./analysis/index.ts";
export { AvocetError, type ErrorCode, type ProgressEvent, type Work } from "./base/index.ts";
export { type Dataset, fromArray, fromIterable, fromTensors, samples } from "./data/index.ts";
export { readModel, writeModel } from "./formats/index.ts";
export { check, Model, parseModel, printModel } from "./ir/index.ts";
export { lower, type Plan, place, planFromJson, planToJson } from "./quant/index.ts";
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
} from "./recipe/index.ts";
export { openRuntime, type Runtime, type Session } from "./runtime/index.ts";
export { type DType, type Feeds, type Shape, Tensor } from "./tensor/index.ts";
