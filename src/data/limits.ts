/** Limits that readers of data keep against damaged and hostile files, each with its reason. docs/data.md lists them. */
import { archiveLimits } from "../base/inner.ts";

export const dataLimits = {
  /**
   * Pixels of one image: 8192 × 8192, more than the largest cameras short of medium format (61 million). Decoding takes up to
   * 16 bytes a pixel, so about 1 GB at most.
   */
  pixels: 2 ** 26,
  /** Inflated bytes of one image: the largest with four bytes a pixel (or half as many pixels of 16 bits in four channels). */
  imageBytes: 2 ** 28,
  /** Bytes of one encoded image. Those of the largest size, hardly compressed, have as many. */
  imageFileBytes: 2 ** 28,
  /** Pixels that one byte of a JPEG file can stand for: a block of 8 × 8 has a Huffman code, of at least one bit. */
  jpegPixelsPerByte: 512,
  /** Scans of a progressive JPEG. Encoders write ten or so, at most one for each coefficient. */
  jpegScans: 100,
  /** Pixels times scans, which is the time that decoding takes: 32 scans of the largest image, some ten seconds. */
  jpegPixelScans: 2 ** 31,
  /** Inflated bytes that one file, .gz or .npz, may hold in memory: what is not compressed is read by range and has no limit. */
  inflatedBytes: 2 ** 29,
  ...archiveLimits,
  /** Arrays of an .npz: one for each input of a model. */
  arrays: 1024,
  /** Chunks of a WAV file. Recorders write a handful; broadcast files some dozens. */
  wavChunks: 1024,
  /** Bytes of a text: JSON, .jsonl, labels. As ids that is some ten million tokens, as an index half a million images. */
  textBytes: 2 ** 26,
  /** Characters of one text that is a label: an hour of speech. The distance of two such texts takes their product in steps. */
  labelText: 2 ** 16,
  /** Bytes of an array that must be held whole (Fortran order). */
  wholeArrayBytes: 2 ** 31,
  /** Encoded bytes of a folder of masks, which are kept. */
  maskBytes: 2 ** 30,
} as const;
