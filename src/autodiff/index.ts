/** @module Gradients: a model in, its backward pass appended; a rule of one's own is a row. */
export { type Backward, type GradientRow, gradientModel, traceTypes } from "./inner.ts";
