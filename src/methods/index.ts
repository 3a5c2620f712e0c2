/** @module The techniques: preparations of the float model, and methods that decide weights and encodings together. */
export { type AdaRoundOptions, applyAdaRound } from "./adaround/apply.ts";
export { type BiasCorrectionOptions, correctBiases } from "./bias-correction/apply.ts";
export { equalizeLayers } from "./cross-layer-equalization/apply.ts";
export type { SweepOptions } from "./cross-layer-equalization/math.ts";
export { removeDeadChannels } from "./dead-channels/apply.ts";
export { applyGptq, type GptqOptions } from "./gptq/apply.ts";
export type { MethodContext, MethodReport, MethodResult, PreparationContext, Prepared } from "./method.ts";
export { applySeqMse, type SeqMseOptions } from "./seq-mse/apply.ts";
