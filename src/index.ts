/** @module The front door: what most programs need. `avocet/node` has what needs a disk; other subpaths are for those who build. */
export {
  type BatchLabels,
  compareValues,
  type Evaluation,
  evaluate,
  latencies,
  type Metric,
  meanIoU,
  metricNamed,
  positionAccuracy,
  psnr,
  type Similarity,
  topK,
  type Verification,
  verify,
} from "./analysis/inner.ts";
export {
  AvocetError,
  type Checkpoint,
  type ErrorCode,
  type ProgressEvent,
  Random,
  setDebug,
  type Work,
} from "./base/inner.ts";
export { type Compressed, type CompressOptions, compressModel, compressToLatency } from "./compress/inner.ts";
export {
  type ArrayLabels,
  arrayLabels,
  type Batch,
  type BoxLabels,
  type ClassLabels,
  classLabels,
  type Dataset,
  fromArray,
  fromIterable,
  fromTensors,
  type Labels,
  type MaskLabels,
  maskLabels,
  samples,
  type TextLabels,
} from "./data/inner.ts";
export { readModel, writeModel } from "./formats/inner.ts";
export { check, cloneModel, Model, parseModel, printModel } from "./ir/inner.ts";
export type { OnEpoch } from "./methods/inner.ts";
export type { Plan, PlanEntry } from "./quant/inner.ts";
export { planFromJson, planToJson } from "./quant/inner-files.ts";
export {
  Candidate,
  defineConfig,
  fineTuneModel,
  localScorer,
  parseRecipe,
  type Quantized,
  type QuantizeOptions,
  quantize,
  quantizeModel,
  type Recipe,
  type RecipeInput,
  type Run,
  type RunRequest,
  report,
  run,
  type Score,
  type Scorer,
  scorerPool,
  scorerThrough,
  serveScorer,
  type TrainedModel,
  type TrainOptions,
  trainModel,
} from "./recipe/inner.ts";
export { type RunReport, readReport, renderReport, writeReport } from "./report/inner.ts";
export {
  inputPorts,
  openModel,
  openRuntime,
  type Runtime,
  type Session,
  type SessionOptions,
  traceShapes,
} from "./runtime/inner.ts";
export { type DType, type Feeds, type Shape, Tensor } from "./tensor/inner.ts";
