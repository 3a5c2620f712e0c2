/** @module Model files on disk (Node only): reading with external data, writing in one step. */
export { type Conversion, conversionOf } from "./conversion.ts";
export { foreignFolder, mainFileOf } from "./foreign-folder-node.ts";
export { dataFilesOf, type FileWriteOptions, type WrittenFiles, writeModelFile } from "./onnx/write-node.ts";
export { expectModelFile, type FileReadOptions, type OpenOptions, openModel, readModelFile } from "./read-node.ts";
export { openWeights } from "./weights-node.ts";
