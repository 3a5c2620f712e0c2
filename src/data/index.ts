/** @module Calibration and evaluation data: pictures, arrays, tokens, audio; always re-iterable, bounded in memory. */
export { type ArrayRows, type RawLayout, rowsOfBytes, rowsOfTensor } from "./array-rows.ts";
export { arrayDataset, scaledRows } from "./arrays.ts";
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
export { type DecodePicture, pictureDecoder } from "./decode.ts";
export { prepare, preparedSize } from "./geometry.ts";
export { indexedDataset, isIndexed } from "./indexed.ts";
export { type JpegDecoder, jpegDecoder } from "./jpeg.ts";
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
export { openNpy, readNpy, writeNpy } from "./npy.ts";
export { openNpz, readNpz, writeNpz } from "./npz.ts";
export { type PackIndex, packFiles, packLabels, parsePackIndex } from "./pack.ts";
export type { Picture } from "./picture.ts";
export { arrayPictures, encodedPictures, type PictureOptions, type PictureSource, pictureDataset } from "./pictures.ts";
export { decodeMask, decodePng } from "./png.ts";
export { portAxis } from "./port-axes.ts";
export {
  channelsOf as inputChannels,
  type Preprocess,
  type PreprocessInput,
  parsePreprocess,
  preprocessSchema,
  valueMap,
} from "./preprocess.ts";
export { resize } from "./resample.ts";
export { joinFeeds, joinRows } from "./rows.ts";
export { checkSchema } from "./schema-faults.ts";
export { choose, parseSelection, type Selection, samples } from "./selection.ts";
export { recordStates, type State, type StateOptions, withStates } from "./states.ts";
export { parseTokenLines, type TokenLine, type TokenOptions, tokenDataset } from "./tokens.ts";
export { openWav, type Wav, type WindowOptions, wavWindows } from "./wav.ts";
