/** @module Training: one step as an ONNX graph, optimizers, losses, and the loop. */
export { type Augment, augmentAll, type CropOptions, crop, flip } from "./augment.ts";
export { type BatchNormTraining, trainBatchNorms } from "./batch-norm-training.ts";
export type { Buffer } from "./buffers.ts";
export { FlatLayout } from "./flat.ts";
export {
  type ClosedForm,
  chosenOutput,
  type FunctionLoss,
  type GraphLoss,
  graphLoss,
  type Loss,
  type Types,
  type Values,
} from "./loss.ts";
export { type CrossEntropyOptions, crossEntropy } from "./losses/cross-entropy.ts";
export { type CtcOptions, ctc } from "./losses/ctc.ts";
export { type DistillationOptions, distillation } from "./losses/distillation.ts";
export { functionLoss, modelLoss } from "./losses/given.ts";
export {
  type BinaryCrossEntropyOptions,
  binaryCrossEntropy,
  type ElementLossOptions,
  meanAbsoluteError,
  meanSquaredError,
} from "./losses/regression.ts";
export { weightedSum } from "./losses/weighted-sum.ts";
export { type MixupOptions, mixup } from "./mixup.ts";
export type { Optimizer } from "./optimizer.ts";
export { type Schedule, type ScheduleSpec, schedule } from "./schedule.ts";
export type { ParameterGroup, RunningState, TrainingSpec } from "./spec.ts";
export { type EpochReport, stepsPerEpoch, type TrainOptions, type TrainResult, train } from "./train.ts";
export { type StepResult, Trainer, type TrainerSpec } from "./trainer.ts";
export { labelled, shuffled } from "./training-data.ts";
export { type TrainingGraph, trainingGraph } from "./training-graph.ts";
