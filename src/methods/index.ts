/** @module The techniques: preparations of the float model, and methods that decide weights and encodings together. */
export { equalizeLayers } from "./cross-layer-equalization/apply.ts";
export type { SweepOptions } from "./cross-layer-equalization/math.ts";
export { removeDeadChannels } from "./dead-channels/apply.ts";
export type { MethodContext, MethodReport, MethodResult, PreparationContext, Prepared } from "./method.ts";
