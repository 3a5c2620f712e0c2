/** @module What of a recipe touches the disk (Node only): the output folder, and the checkpoint next to it. */
export { type CheckpointFolder, type CheckpointFolderOptions, openCheckpointFolder } from "./checkpoint-folder-node.ts";
export { type OpenDataOptions, openData } from "./open-data-node.ts";
export { type OutputFolder, openOutputFolder, sweepOutput } from "./output-folder-node.ts";
