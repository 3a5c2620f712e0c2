/** @module What data is made of: images, arrays, tokens, audio, packs, and preprocessing with its schema. Loads decoders and zod. */
export { arrayDataset, scaledRows } from "./arrays/arrays.ts";
export { openNpy, readNpy, writeNpy } from "./arrays/npy.ts";
export { openNpz, readNpz, writeNpz } from "./arrays/npz.ts";
export { parseTokenLines, type TokenLine, type TokenOptions, tokenDataset } from "./arrays/tokens.ts";
export { openWav, type Wav, type WindowOptions, wavWindows } from "./arrays/wav.ts";
export { type DecodeImage, imageDecoder } from "./images/decode.ts";
export { prepare, preparedSize } from "./images/geometry.ts";
export type { Image } from "./images/image.ts";
export { arrayImages, encodedImages, type ImageOptions, type ImageSource, imageDataset } from "./images/images.ts";
export { type JpegDecoder, jpegDecoder } from "./images/jpeg.ts";
export { decodeMask, decodePng } from "./images/png.ts";
export { resize } from "./images/resample.ts";
export { type PackIndex, packFiles, packLabels, parsePackIndex } from "./pack.ts";
export { parsePreprocess, preprocessSchema } from "./preprocess.ts";
export { checkSchema } from "./schema-faults.ts";
