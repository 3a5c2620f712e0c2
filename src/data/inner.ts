/** @module What calibration and evaluation compute with: datasets, batches, labels, selections; always re-iterable, bounded in memory. */
export { type ArrayRows, type RawLayout, rowsOfBytes, rowsOfTensor } from "./array-rows.ts";
export type { Box, BoxLabels } from "./box-labels.ts";
export { type ByteSource, blobSource, bytesSource } from "./byte-source.ts";
export { cached } from "./cache.ts";
export { conform, fixedBatch } from "./conform.ts";
export {
  type Batch,
  type Dataset,
  type IndexedDataset,
  type InputPort,
  type Origin,
  type SampleAxes,
  traitsOf,
} from "./dataset.ts";
export { indexedDataset, isIndexed } from "./indexed.ts";
export {
  type AnyLabels,
  type ArrayLabels,
  alignLabels,
  arrayLabels,
  type ClassLabels,
  classLabels,
  type Labels,
  type MaskLabels,
  maskLabels,
  renumberedLabels,
  selectLabels,
  textLabels,
} from "./labels.ts";
export { fromArray, fromIterable, fromTensors, type MemoryOptions } from "./memory.ts";
export { portAxis } from "./port-axes.ts";
export type { Preprocess, PreprocessInput } from "./preprocess.ts";
export { channelsOf as inputChannels, valueMap } from "./preprocess-arithmetic.ts";
export { joinFeeds, joinRows } from "./rows.ts";
export { choose, parseSelection, type Selection, samples } from "./selection.ts";
export { recordStates, type State, type StateOptions, withStates } from "./states.ts";
export { type TextLabels, textTruths } from "./text-truths.ts";
