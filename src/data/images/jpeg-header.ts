/** The marker segments of a JPEG file before its first scan: size, components, Adobe's colour transform, EXIF. */
import { AvocetError } from "../../base/inner.ts";
import { exifOrientation } from "./exif.ts";

export interface JpegComponent {
  readonly id: number;
  /** Sampling factors, 1 … 4. */
  readonly h: number;
  readonly v: number;
}

export interface JpegHeader {
  readonly width: number;
  readonly height: number;
  /** Bits a sample. */
  readonly precision: number;
  readonly progressive: boolean;
  /** Coded without Huffman codes. */
  readonly arithmetic: boolean;
  readonly components: readonly JpegComponent[];
  /** Adobe's transform (0 none, 1 YCbCr, 2 YCCK), or null without that marker. */
  readonly adobe: number | null;
  /** EXIF orientation, 1 … 8. */
  readonly orientation: number;
}

/** A marker segment: `start` is its 0xff, `body` follows the length field, `end` is one past it. */
export interface JpegSegment {
  readonly marker: number;
  readonly start: number;
  readonly body: number;
  readonly end: number;
}

/** Whether the bytes begin as a JPEG file does. */
export function isJpeg(bytes: Uint8Array): boolean {
  return bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;
}

/** The segment at `at`, past fill bytes; markers without a length have an empty body. Throws `data/unreadable`. */
export function segmentAt(bytes: Uint8Array, at: number, name: string): JpegSegment {
  let start = at;
  while (bytes[start] === 0xff && bytes[start + 1] === 0xff) start++;
  const marker = bytes[start + 1];
  if (bytes[start] !== 0xff || marker === undefined) throw damaged(name, `a marker at byte ${at}`);
  const alone = marker === 0xd8 || marker === 0xd9 || marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7);
  if (alone) return { marker, start, body: start + 2, end: start + 2 };
  const end = start + 2 + ((bytes[start + 2] ?? 0) << 8) + (bytes[start + 3] ?? 0);
  if (end < start + 4 || end > bytes.length) throw damaged(name, `a whole segment at byte ${at}`);
  return { marker, start, body: start + 4, end };
}

/** Whether a marker begins a frame (SOF0 … SOF15). */
export function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

/** Reads the segments up to the first scan. Throws `data/unreadable`. */
export function readJpegHeader(bytes: Uint8Array, name: string): JpegHeader {
  let frame: Omit<JpegHeader, "adobe" | "orientation"> | null = null;
  let adobe: number | null = null;
  let orientation = 1;
  for (let at = 2; ; ) {
    const segment = segmentAt(bytes, at, name);
    const { marker, body, end } = segment;
    if (isFrame(marker)) frame = readFrame(bytes, segment, name);
    else if (marker === 0xe1 && ascii(bytes, body, 6) === "Exif\0\0") {
      orientation = exifOrientation(bytes.subarray(body + 6, end));
    } else if (marker === 0xee && ascii(bytes, body, 5) === "Adobe" && end - body >= 12) adobe = bytes[body + 11]!;
    else if (marker === 0xda || marker === 0xd9) break;
    at = end;
  }
  if (!frame) throw damaged(name, "a frame before the first scan");
  return { ...frame, adobe, orientation };
}

/** How many scans a file has; counting ends behind `most`. What is cut off or damaged has those that are seen. */
export function countScans(bytes: Uint8Array, name: string, most: number): number {
  let scans = 0;
  for (let at = 2; scans <= most && at + 1 < bytes.length; ) {
    if (bytes[at] !== 0xff) {
      // Entropy-coded bytes, where 0xff is followed by zero or by a restart.
      const next = bytes.indexOf(0xff, at);
      at = next < 0 ? bytes.length : next;
      continue;
    }
    const marker = bytes[at + 1]!;
    if (marker === 0xff) at++;
    else if (marker === 0 || (marker >= 0xd0 && marker <= 0xd7)) at += 2;
    else {
      if (marker === 0xda) scans++;
      if (marker === 0xd9) break;
      try {
        at = segmentAt(bytes, at, name).end;
      } catch {
        break;
      }
    }
  }
  return scans;
}

function readFrame(bytes: Uint8Array, { marker, body, end }: JpegSegment, name: string) {
  const count = bytes[body + 5] ?? 0;
  if (end - body < 6 + 3 * count || count < 1) throw damaged(name, "a whole frame header");
  const u16 = (at: number) => (bytes[at]! << 8) | bytes[at + 1]!;
  const components = Array.from({ length: count }, (_, i) => {
    const at = body + 6 + 3 * i;
    return { id: bytes[at]!, h: bytes[at + 1]! >> 4, v: bytes[at + 1]! & 15 };
  });
  if (components.some(({ h, v }) => h < 1 || h > 4 || v < 1 || v > 4)) throw damaged(name, "sampling factors 1 to 4");
  const [progressive, arithmetic] = [marker === 0xc2, marker >= 0xc9];
  return { width: u16(body + 3), height: u16(body + 1), precision: bytes[body]!, progressive, arithmetic, components };
}

function ascii(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

function damaged(at: string, expected: string): AvocetError {
  return new AvocetError("data/unreadable", `expected ${expected} of the JPEG file, got other bytes`, {
    at,
    hint: "the image is damaged or was not copied completely",
  });
}
