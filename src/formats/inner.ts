/** @module Files of other systems ↔ Model: ONNX and its text. What needs a disk is in `index-node.ts`. */
export { type ByteSource, bytesSource } from "./byte-source.ts";
export { limits } from "./limits.ts";
export type { ExternalData } from "./onnx/context.ts";
export { encodeModel, writeModel } from "./onnx/write.ts";
export type { Encoded, Sink } from "./protobuf/encode.ts";
export { openModel, type ReadOptions, readModel } from "./read.ts";
export type { SourceFile, SourceFormat, SourceReader } from "./source-format.ts";
export { sources } from "./sources.ts";
