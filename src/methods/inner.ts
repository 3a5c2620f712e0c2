/** @module The techniques: preparations of the float model, and methods that decide weights and encodings together. */
export { applyAdaRound } from "./adaround/apply.ts";
export type { AdaRoundOptions } from "./adaround/options.ts";
export {
  type ReestimatedBatchNorms,
  type ReestimateOptions,
  reestimateBatchNorms,
  restoreConstants,
} from "./batch-norm-re-estimation/apply.ts";
export { type FoldedBatchNormOptions, reestimateFoldedBatchNorms } from "./batch-norm-re-estimation/folded.ts";
export { type BiasCorrectionOptions, correctBiases } from "./bias-correction/apply.ts";
export { biasShift } from "./bias-correction/math.ts";
export { type EqualizeOptions, equalizeLayers } from "./cross-layer-equalization/apply.ts";
export { foldHighBiases } from "./cross-layer-equalization/high-bias.ts";
export { type DataFreeRangeOptions, dataFreeRanges, expectedValues } from "./data-free-ranges/apply.ts";
export { type InputKnowledge, imageInput, inputExpectation } from "./data-free-ranges/inputs.ts";
export type { RangeChoice } from "./data-free-ranges/range-observer.ts";
export { removeDeadChannels } from "./dead-channels/apply.ts";
export type { Expectation } from "./expectations/expectation.ts";
export type { Expectations } from "./expectations/propagate.ts";
export { applyGptq } from "./gptq/apply.ts";
export { choleskyLower, invert } from "./gptq/math.ts";
export type { GptqOptions } from "./gptq/options.ts";
export { settle, type Trained } from "./learned-quantizers/settle.ts";
export { type LearnedQuantizer, type TrainableModel, trainableModel } from "./learned-quantizers/trainable.ts";
export type {
  MethodContext,
  MethodReport,
  MethodResult,
  OnEpoch,
  PreparationContext,
  Prepared,
  StepContext,
} from "./method.ts";
export { LayerInputs } from "./on-moments/layer-inputs.ts";
export { type QatContext, trainQuantized } from "./qat/apply.ts";
export type { QatOptions } from "./qat/options.ts";
export { qat } from "./qat/step.ts";
export { applyReconstruction } from "./reconstruction/apply.ts";
export type { ReconstructionOptions } from "./reconstruction/options.ts";
export { applySeqMse } from "./seq-mse/apply.ts";
export type { SeqMseOptions } from "./seq-mse/options.ts";
export { shapesFor } from "./shapes.ts";
export { rewriteStandaloneBatchNorms } from "./standalone-batch-norms/apply.ts";
export type { StandaloneBatchNormOptions } from "./standalone-batch-norms/options.ts";
export type { Change, State, Step } from "./step.ts";
export { methodSchemas, methodTable } from "./table.ts";
