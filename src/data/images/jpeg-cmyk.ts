/**
 * CMYK and YCCK JPEG images (print; ImageNet has two dozen). The decoder knows at most three components, so the file
 * is split without loss: the entropy-coded bits of one component are left out, once of the fourth and once of the
 * second (never of the first, which has the finest sampling), and both three-component files are decoded. Then as Pillow: values inverted (Adobe's custom), and
 * convert("RGB"): red = nk − c·nk/255 with nk = 255 − k.
 */
import { AvocetError } from "../../base/inner.ts";
import type { Image } from "./image.ts";
import { ByteSink, EntropyCopier, HuffmanTable } from "./jpeg-entropy.ts";
import { isFrame, type JpegComponent, type JpegHeader, type JpegSegment, segmentAt } from "./jpeg-header.ts";

type Pixels = { readonly data: Uint8ClampedArray; readonly width: number; readonly height: number };

/** Decodes a four-component JPEG to RGB. `decode` returns the pixels (four values each) of a three-component one. */
export async function cmykImage(
  bytes: Uint8Array,
  header: JpegHeader,
  name: string,
  decode: (part: Uint8Array) => Promise<Pixels>,
): Promise<Image> {
  const ycck = header.adobe === 2;
  const inks = await decode(without(bytes, header, 3, ycck ? 1 : 0, name));
  const black = await decode(without(bytes, header, 1, 0, name));
  const { width, height } = header;
  const rgb = new Uint8Array(width * height * 3);
  for (let i = 0, j = 0; j < rgb.length; i += 4, j += 3) {
    const nk = black.data[i + 2]!;
    for (let c = 0; c < 3; c++) {
      // The decoder returns red for 255 − cyan when it converts YCC, and the stored (inverted) cyan when it does not.
      const stored = inks.data[i + c]!;
      const product = (ycck ? stored : 255 - stored) * nk + 128;
      rgb[j + c] = nk - (((product >> 8) + product) >> 8);
    }
  }
  return { width, height, channels: 3, data: rgb };
}

interface ScanComponent {
  readonly index: number;
  readonly tables: number;
}

/** The same file without component number `drop`, marked with another Adobe colour transform. */
function without(bytes: Uint8Array, header: JpegHeader, drop: number, transform: number, name: string): Uint8Array {
  const kept = header.components.filter((_, i) => i !== drop);
  const most = (of: readonly JpegComponent[], axis: "h" | "v") => Math.max(...of.map((c) => c[axis]));
  if (most(kept, "h") !== most(header.components, "h") || most(kept, "v") !== most(header.components, "v")) {
    throw unsupported(name, "the finest sampling for the first ink");
  }
  const out = new ByteSink(bytes.length + 64);
  const dc = new Map<number, HuffmanTable>();
  const ac = new Map<number, HuffmanTable>();
  let interval = 0;
  out.write([0xff, 0xd8, 0xff, 0xee, 0, 14, 0x41, 0x64, 0x6f, 0x62, 0x65, 0, 100, 0, 0, 0, 0, transform]);
  for (let at = 2; ; ) {
    const segment = segmentAt(bytes, at, name);
    const { marker, start, body, end } = segment;
    at = end;
    if (marker === 0xd9) break;
    if (marker === 0xda) {
      const scan = scanOf(bytes, segment, header, name);
      const rest = scan.filter(({ index }) => index !== drop);
      if (rest.length > 0) writeScanHeader(out, bytes, segment, header, rest);
      if (rest.length === scan.length || rest.length === 0) {
        at = endOfScan(bytes, end);
        if (rest.length > 0) out.write(bytes.subarray(end, at));
        continue;
      }
      if (rest.length === 1) throw unsupported(name, "scans of one or of all inks");
      at = splitScan(out, bytes, segment, header, scan, drop, { dc, ac, interval }, name);
    } else if (isFrame(marker)) {
      if (marker > 0xc2) throw unsupported(name, "Huffman coding");
      out.write([0xff, marker, 0, 8 + 3 * kept.length, ...bytes.subarray(body, body + 5), kept.length]);
      for (let i = 0; i < header.components.length; i++) {
        if (i !== drop) out.write(bytes.subarray(body + 6 + 3 * i, body + 9 + 3 * i));
      }
    } else if (marker === 0xc4 || marker === 0xdb || marker === 0xdd) {
      out.write(bytes.subarray(start, end));
      if (marker === 0xc4) readTables(bytes.subarray(body, end), dc, ac, name);
      if (marker === 0xdd) interval = (bytes[body]! << 8) | bytes[body + 1]!;
    }
  }
  out.write([0xff, 0xd9]);
  return out.bytes();
}

function scanOf(bytes: Uint8Array, { body, end }: JpegSegment, header: JpegHeader, name: string): ScanComponent[] {
  if (body + 4 + 2 * bytes[body]! !== end) throw unsupported(name, "scan headers as long as their components");
  return Array.from({ length: bytes[body]! }, (_, i) => {
    const index = header.components.findIndex(({ id }) => id === bytes[body + 1 + 2 * i]);
    if (index < 0) throw unsupported(name, "scans of the components of the frame");
    return { index, tables: bytes[body + 2 + 2 * i]! };
  });
}

function writeScanHeader(
  out: ByteSink,
  bytes: Uint8Array,
  { end }: JpegSegment,
  header: JpegHeader,
  scan: readonly ScanComponent[],
): void {
  const pairs = scan.flatMap(({ index, tables }) => [header.components[index]!.id, tables]);
  out.write([0xff, 0xda, 0, 6 + pairs.length, scan.length, ...pairs, ...bytes.subarray(end - 3, end)]);
}

interface Coding {
  readonly dc: ReadonlyMap<number, HuffmanTable>;
  readonly ac: ReadonlyMap<number, HuffmanTable>;
  /** MCUs between restart markers; 0 is none. */
  readonly interval: number;
}

/** Copies the bits of an interleaved scan except those of one component; returns where the scan ends. */
function splitScan(
  out: ByteSink,
  bytes: Uint8Array,
  { end }: JpegSegment,
  header: JpegHeader,
  scan: readonly ScanComponent[],
  drop: number,
  { dc, ac, interval }: Coding,
  name: string,
): number {
  const refines = header.progressive && bytes[end - 1]! >> 4 > 0;
  const parts = scan.map(({ index, tables }) => {
    const { h, v } = header.components[index]!;
    const [first, others] = [dc.get(tables >> 4), ac.get(tables & 15)];
    if (!(refines || first) || !(header.progressive || others))
      throw unsupported(name, "the tables that its scans name");
    return { keep: index !== drop, blocks: h * v, first, others };
  });
  const across = Math.ceil(header.width / (8 * Math.max(...header.components.map(({ h }) => h))));
  const down = Math.ceil(header.height / (8 * Math.max(...header.components.map(({ v }) => v))));
  const copier = new EntropyCopier(bytes, end, out, name);
  for (let mcu = 0; mcu < across * down; mcu++) {
    if (interval > 0 && mcu > 0 && mcu % interval === 0) copier.restart();
    for (const { keep, blocks, first, others } of parts) {
      copier.keep = keep;
      for (let block = 0; block < blocks; block++) {
        if (refines) copier.bits(1);
        else copier.bits(copier.symbol(first!));
        if (!header.progressive) copier.coefficients(others!);
      }
    }
  }
  return endOfScan(bytes, copier.finish());
}

/** Where the next marker is that is not a restart. */
function endOfScan(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length) {
    const next = bytes[at + 1] ?? 0xd9;
    if (bytes[at] === 0xff && next !== 0 && next !== 0xff && !(next >= 0xd0 && next <= 0xd7)) break;
    at++;
  }
  return at;
}

function readTables(
  body: Uint8Array,
  dc: Map<number, HuffmanTable>,
  ac: Map<number, HuffmanTable>,
  name: string,
): void {
  for (let at = 0; at < body.length; ) {
    const kind = body[at]!;
    const counts = body.subarray(at + 1, at + 17);
    const total = counts.reduce((sum, n) => sum + n, 0);
    if (at + 17 + total > body.length) throw unsupported(name, "whole Huffman tables");
    (kind >> 4 ? ac : dc).set(kind & 15, new HuffmanTable(counts, body.subarray(at + 17, at + 17 + total)));
    at += 17 + total;
  }
}

function unsupported(at: string, expected: string): AvocetError {
  return new AvocetError("data/unreadable", `expected ${expected} in a CMYK JPEG, got another form`, {
    at,
    hint: "convert the image to RGB",
  });
}
