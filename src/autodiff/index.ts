/** @module Gradients of ONNX graphs as ONNX graphs: one rule per operator, and the walk that builds the backward graph. */
export { type DifferentiateOptions, differentiate, gradientModel, type Seed, seedPrefix } from "./differentiate.ts";
export { Emitter } from "./emitter.ts";
export { Backward, type GradientRow, type GradientRule, type InputGradients } from "./rule.ts";
export { gradientRow } from "./rules.ts";
export { passStraightThrough } from "./straight-through.ts";
