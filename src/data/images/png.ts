/** PNG images: gray, RGB, palette, with or without alpha, 1 to 16 bits; and masks, whose values are class numbers. */
import { type DecodedPng, decode } from "fast-png";
import { AvocetError } from "../../base/inner.ts";
import { exifOrientation } from "./exif.ts";
import { checkPixels, type Image, orient } from "./image.ts";
import { chunksOf, plainPng } from "./png-chunks.ts";

/** Whether the bytes begin as a PNG file does. */
export function isPng(bytes: Uint8Array): boolean {
  return [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a].every((byte, i) => bytes[i] === byte);
}

/**
 * Pixels as red, green, blue, as Pillow's convert("RGB"): alpha is dropped, a palette is looked up. Of 16 bits the high
 * eight are kept, for gray too (where Pillow would saturate). `turn` follows the EXIF orientation.
 * Throws `data/unreadable`.
 */
export function decodePng(bytes: Uint8Array, name: string, turn = false): Image {
  const png = open(bytes, name);
  const { width, height, palette, channels } = png;
  const values = bytesOf(png);
  const rgb = new Uint8Array(width * height * 3);
  for (let i = 0, j = 0; j < rgb.length; i += channels, j += 3) {
    if (palette) rgb.set((palette[values[i]!] ?? outside(name, values[i]!)).slice(0, 3), j);
    else if (channels < 3) rgb.fill(values[i]!, j, j + 3);
    else for (let c = 0; c < 3; c++) rgb[j + c] = values[i + c]!;
  }
  const image: Image = { width, height, channels: 3, data: rgb };
  return turn ? orient(image, orientationOf(bytes, name)) : image;
}

/** The values of a one-channel PNG (gray of up to 8 bits unscaled, or palette numbers). Throws `data/unreadable`. */
export function decodeMask(bytes: Uint8Array, name: string): { width: number; height: number; data: Uint8Array } {
  const png = open(bytes, name);
  if (png.channels !== 1 || png.depth > 8) {
    throw new AvocetError(
      "data/unreadable",
      `expected a mask with one channel of at most 8 bits, got ${png.channels} channels of ${png.depth} bits`,
      { at: name, hint: "save class numbers as gray or palette PNG" },
    );
  }
  return { width: png.width, height: png.height, data: png.depth === 8 ? (png.data as Uint8Array) : unpack(png) };
}

function open(bytes: Uint8Array, name: string): DecodedPng {
  if (!isPng(bytes) || bytes.length < 33) {
    throw new AvocetError("data/unreadable", "expected a PNG file, got other bytes", { at: name });
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  checkPixels(view.getUint32(16), view.getUint32(20), name);
  if (bytes[28] === 1 && bytes[24]! < 8) {
    throw new AvocetError("data/unreadable", `expected 8 or 16 bits in an interlaced PNG, got ${bytes[24]}`, {
      at: name,
      hint: "save the image without interlacing",
    });
  }
  const plain = plainPng(bytes, name);
  let png: DecodedPng;
  try {
    png = decode(plain);
  } catch (cause) {
    throw new AvocetError("data/unreadable", `expected a whole PNG image, got ${(cause as Error).message}`, {
      at: name,
      hint: "the image is damaged or was not copied completely",
      cause,
    });
  }
  if (bytes[25] !== 3 || png.palette) return png;
  throw new AvocetError("data/unreadable", "expected a palette for the numbers of the image, got none", {
    at: name,
    hint: "the image is damaged or was not copied completely",
  });
}

/** The samples in 8 bits; gray of 1, 2 and 4 bits is stretched to 0 … 255, palette numbers are not. */
function bytesOf(png: DecodedPng): Uint8Array {
  const { depth, data, palette } = png;
  if (depth === 16) return Uint8Array.from(data, (v) => v >> 8);
  if (depth === 8) return data as Uint8Array;
  const values = unpack(png);
  return palette ? values : values.map((v) => (v * 255) / (2 ** depth - 1));
}

/** The samples of a one-channel image of less than 8 bits; each row begins at a byte. */
function unpack({ width, height, depth, data }: DecodedPng): Uint8Array {
  const values = new Uint8Array(width * height);
  const stride = Math.ceil((width * depth) / 8);
  const mask = 2 ** depth - 1;
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const bit = x * depth;
      values[to++] = (data[y * stride + (bit >> 3)]! >> (8 - depth - (bit & 7))) & mask;
    }
  }
  return values;
}

/** EXIF in PNG is a chunk of its own. */
function orientationOf(bytes: Uint8Array, name: string): number {
  for (const { type, body } of chunksOf(bytes, name)) if (type === "eXIf") return exifOrientation(body);
  return 1;
}

function outside(at: string, index: number): never {
  throw new AvocetError("data/unreadable", `expected numbers inside the palette, got ${index}`, { at });
}
