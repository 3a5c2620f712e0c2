/** A decoded image: 8 bits a channel, rows from the top, channels interleaved. */
import { AvocetError } from "../../base/inner.ts";
import { dataLimits } from "../limits.ts";

export interface Image {
  readonly width: number;
  readonly height: number;
  /** 1 is gray, 3 is red, green, blue. */
  readonly channels: 1 | 3;
  /** height × width × channels values. */
  readonly data: Uint8Array;
}

/** Throws `data/unreadable` for an image of no or too many pixels, before memory is taken for it. */
export function checkPixels(width: number, height: number, at: string): void {
  if (width < 1 || height < 1 || width * height > dataLimits.pixels) {
    throw new AvocetError("data/unreadable", `expected 1 to ${dataLimits.pixels} pixels, got ${width} × ${height}`, {
      at,
    });
  }
}

/** Luminance as Pillow's convert("L"): ITU-R 601-2 in 16-bit fixed point. */
export function toGray(image: Image): Image {
  if (image.channels === 1) return image;
  const { width, height, data } = image;
  const gray = new Uint8Array(width * height);
  for (let i = 0, j = 0; i < gray.length; i++, j += 3) {
    gray[i] = (data[j]! * 19595 + data[j + 1]! * 38470 + data[j + 2]! * 7471 + 0x8000) >> 16;
  }
  return { width, height, channels: 1, data: gray };
}

/** Three channels; gray is repeated. */
export function toRgb(image: Image): Image {
  if (image.channels === 3) return image;
  const { width, height, data } = image;
  const rgb = new Uint8Array(width * height * 3);
  for (let i = 0, j = 0; i < data.length; i++, j += 3) rgb.fill(data[i]!, j, j + 3);
  return { width, height, channels: 3, data: rgb };
}

/** The image turned and mirrored as an EXIF orientation (1 … 8) says; like Pillow's `exif_transpose`. */
export function orient(image: Image, orientation: number): Image {
  if (orientation < 2 || orientation > 8) return image;
  const { width, height, channels, data } = image;
  const swap = orientation >= 5;
  const [outWidth, outHeight] = swap ? [height, width] : [width, height];
  const mirrorX = [2, 3, 7, 8].includes(orientation);
  const mirrorY = [3, 4, 6, 7].includes(orientation);
  const out = new Uint8Array(data.length);
  for (let y = 0, to = 0; y < outHeight; y++) {
    for (let x = 0; x < outWidth; x++, to += channels) {
      const column = swap ? y : x;
      const row = swap ? x : y;
      const from = ((mirrorY ? height - 1 - row : row) * width + (mirrorX ? width - 1 - column : column)) * channels;
      for (let c = 0; c < channels; c++) out[to + c] = data[from + c]!;
    }
  }
  return { width: outWidth, height: outHeight, channels, data: out };
}
