/** @module What of a recipe touches the disk (Node only): the output folder. */
export { type OutputFolder, openOutputFolder } from "./output-folder-node.ts";
