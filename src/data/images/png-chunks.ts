/**
 * What of a PNG file its pixels need, with nothing in it that could inflate to more than they are. The decoder behind inflates
 * whatever it meets: texts and colour profiles, and pixels beyond the image's.
 */
import { zlibSync } from "fflate";
import { AvocetError } from "../../base/inner.ts";
import { crc32, inflateUpTo } from "../../base/inner-files.ts";
import { dataLimits } from "../limits.ts";

interface Chunk {
  readonly type: string;
  readonly body: Uint8Array;
  /** Length, type, body and checksum. */
  readonly whole: Uint8Array;
}

/** The chunks of a file whose signature was seen. Throws `data/unreadable` for one that is cut off. */
export function* chunksOf(bytes: Uint8Array, name: string): Generator<Chunk> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 8; at < bytes.length; ) {
    const length = at + 12 <= bytes.length ? view.getUint32(at) : 0;
    if (at + 12 + length > bytes.length) throw damaged(name, "a whole chunk");
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    yield { type, body: bytes.subarray(at + 8, at + 8 + length), whole: bytes.subarray(at, at + 12 + length) };
    if (type === "IEND") return;
    at += 12 + length;
  }
}

/** The same image: header, palette, transparency and its own pixels, stored. Throws `data/unreadable`. */
export function plainPng(bytes: Uint8Array, name: string): Uint8Array {
  const kept: Uint8Array[] = [bytes.subarray(0, 8)];
  const data: Uint8Array[] = [];
  let isFirst = true;
  for (const { type, body, whole } of chunksOf(bytes, name)) {
    // What is checked is the header at the front: another one would be what the decoder believes.
    if ((type === "IHDR") !== isFirst) throw damaged(name, "one header, at the front");
    isFirst = false;
    if (!["IHDR", "PLTE", "tRNS", "IDAT"].includes(type)) continue;
    const view = new DataView(whole.buffer, whole.byteOffset, whole.byteLength);
    if (crc32(whole.subarray(4, -4)) !== view.getUint32(whole.length - 4)) throw damaged(name, `a sound ${type} chunk`);
    if (type === "IDAT") data.push(body);
    else kept.push(whole);
  }
  const packed = joined(data);
  const size = pixelBytes(bytes, name);
  if (size > packed.length * dataLimits.inflateRatio) throw damaged(name, "as many pixels as the header says");
  let pixels: Uint8Array;
  try {
    // What follows the last row is left alone, as libpng does.
    pixels = inflateUpTo(packed, size, "zlib").bytes;
  } catch (cause) {
    throw new AvocetError("data/unreadable", `expected a whole PNG image, got ${(cause as Error).message}`, {
      at: name,
      hint: "the image is damaged or was not copied completely",
      cause,
    });
  }
  if (pixels.length < size) throw damaged(name, "all rows of the image");
  return joined([...kept, chunk("IDAT", zlibSync(pixels, { level: 0 })), chunk("IEND", new Uint8Array(0))]);
}

/** Samples of a pixel by colour type: gray, RGB, palette, gray and alpha, RGB and alpha. */
const samples: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** First column and row, and steps, of the passes of Adam7. */
const passes = [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]] as const; // biome-ignore format: a table

/** Bytes of all rows before they are compressed, each with its filter. Throws `data/unreadable` for more than an image may have. */
function pixelBytes(bytes: Uint8Array, name: string): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [width, height, depth, colour, interlace] = [view.getUint32(16), view.getUint32(20), bytes[24]!, bytes[25]!, bytes[28]!]; // biome-ignore format: the header
  const bits = depth * (samples[colour] ?? 0);
  if (bits < 1 || bits > 64) throw damaged(name, "a colour type and depth of PNG");
  const rows = (columns: number, count: number) => (columns < 1 ? 0 : count * (1 + Math.ceil((columns * bits) / 8)));
  const size =
    interlace === 0
      ? rows(width, height)
      : passes.reduce((sum, [x, y, dx, dy]) => sum + rows(Math.ceil((width - x) / dx), Math.max(0, Math.ceil((height - y) / dy))), 0); // biome-ignore format: a sum
  if (size <= dataLimits.imageBytes) return size;
  throw new AvocetError("data/unreadable", `expected an image of at most ${dataLimits.imageBytes} bytes, got ${size}`, {
    at: name,
    hint: "save it smaller, or with 8 bits",
  });
}

function chunk(type: string, body: Uint8Array): Uint8Array {
  const whole = new Uint8Array(12 + body.length);
  const view = new DataView(whole.buffer);
  view.setUint32(0, body.length);
  whole.set(new TextEncoder().encode(type), 4);
  whole.set(body, 8);
  view.setUint32(8 + body.length, crc32(whole.subarray(4, -4)));
  return whole;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function damaged(at: string, expected: string): AvocetError {
  return new AvocetError("data/unreadable", `expected ${expected}, got other bytes`, {
    at,
    hint: "the image is damaged or was not copied completely",
  });
}
