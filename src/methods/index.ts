/** @module The techniques: preparations of the float model, and methods that decide weights and encodings together. */
export { removeDeadChannels } from "./dead-channels/apply.ts";
export type { MethodContext, MethodReport, MethodResult, PreparationContext, Prepared } from "./method.ts";
