/** @module Calibration and evaluation data: pictures, arrays, tokens, audio; always re-iterable, bounded in memory. */
export type { Batch, Dataset, IndexedDataset, InputPort } from "./dataset.ts";
export { type Preprocess, type PreprocessInput, parsePreprocess, preprocessSchema } from "./preprocess.ts";
