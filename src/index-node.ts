/** @module What needs a disk, in Node: models and data by path, labels, and checkpoints of long runs. */
export { type LabelOptions, openLabels } from "./data/inner-node.ts";
export { readModelFile, writeModelFile } from "./formats/inner-node.ts";
export {
  type CheckpointFolder,
  type OpenDataOptions,
  openCheckpointFolder,
  openData,
} from "./recipe/inner-node.ts";
export { traceInChild } from "./runtime/inner-node.ts";
