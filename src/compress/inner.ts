/** @module Compression: layers of low rank, fewer channels, what each ratio loses, and the choice of ratios within a budget. */
export { type Compressed, type CompressedLayer, compressModel, type ModelCost } from "./compress.ts";
export { type CompressionScheme, type CompressOptions, compressionSchemes, type ModelScorer } from "./options.ts";
