/** @module Compression: layers of low rank, fewer channels, what each ratio loses, and the choice of ratios within a budget. */
export { type Compressed, type CompressedLayer, compressModel, type ModelCost } from "./compress.ts";
export type { CompressOptions, ModelScorer } from "./options.ts";
export { type CompressionScheme, compressionSchemes } from "./scheme-names.ts";
export { compressToLatency, type LatencyTarget } from "./to-latency.ts";
