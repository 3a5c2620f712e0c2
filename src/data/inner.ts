/** @module Calibration and evaluation data: images, arrays, tokens, audio; always re-iterable, bounded in memory. */
export { type ArrayRows, type RawLayout, rowsOfBytes, rowsOfTensor } from "./array-rows.ts";
export { arrayDataset, scaledRows } from "./arrays/arrays.ts";
export { openNpy, readNpy, writeNpy } from "./arrays/npy.ts";
export { openNpz, readNpz, writeNpz } from "./arrays/npz.ts";
export { parseTokenLines, type TokenLine, type TokenOptions, tokenDataset } from "./arrays/tokens.ts";
export { openWav, type Wav, type WindowOptions, wavWindows } from "./arrays/wav.ts";
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
export { type DecodeImage, imageDecoder } from "./images/decode.ts";
export { prepare, preparedSize } from "./images/geometry.ts";
export type { Image } from "./images/image.ts";
export { arrayImages, encodedImages, type ImageOptions, type ImageSource, imageDataset } from "./images/images.ts";
export { type JpegDecoder, jpegDecoder } from "./images/jpeg.ts";
export { decodeMask, decodePng } from "./images/png.ts";
export { resize } from "./images/resample.ts";
export { indexedDataset, isIndexed } from "./indexed.ts";
export {
  type ArrayLabels,
  alignLabels,
  arrayLabels,
  type ClassLabels,
  classLabels,
  type Labels,
  type MaskLabels,
  maskLabels,
  selectLabels,
  textLabels,
} from "./labels.ts";
export { fromArray, fromIterable, fromTensors, type MemoryOptions } from "./memory.ts";
export { type PackIndex, packFiles, packLabels, parsePackIndex } from "./pack.ts";
export { portAxis } from "./port-axes.ts";
export {
  channelsOf as inputChannels,
  type Preprocess,
  type PreprocessInput,
  parsePreprocess,
  preprocessSchema,
  valueMap,
} from "./preprocess.ts";
export { joinFeeds, joinRows } from "./rows.ts";
export { checkSchema } from "./schema-faults.ts";
export { choose, parseSelection, type Selection, samples } from "./selection.ts";
export { recordStates, type State, type StateOptions, withStates } from "./states.ts";
