/** NumPy's .npz files: zip archives of .npy arrays. Stored arrays are read by range, deflated ones are held whole. */
import { inflateSync, zipSync } from "fflate";
import { AvocetError, ByteReader } from "../base/index.ts";
import type { Tensor } from "../tensor/index.ts";
import type { ArrayRows } from "./array-rows.ts";
import { type ByteSource, bytesSource, partOf } from "./byte-source.ts";
import { openNpy, readNpy, writeNpy } from "./npy.ts";

const limits = {
  entries: 65_536,
  directory: 64 << 20,
  /** Bytes that a deflated array may have. */
  inflated: 2 ** 31,
  /** Deflate cannot do better, so a larger claim is a lie. */
  ratio: 1032,
};

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly offset: number;
}

/** Opens every array of an .npz file, by name. Throws `data/unreadable`. */
export async function openNpz(source: ByteSource): Promise<Map<string, ArrayRows>> {
  const arrays = new Map<string, ArrayRows>();
  for (const entry of await directoryOf(source)) {
    if (entry.name.endsWith(".npy")) arrays.set(entry.name.slice(0, -4), await openNpy(await open(source, entry)));
  }
  return arrays;
}

/** Reads every array of an .npz file. Throws `data/unreadable`. */
export async function readNpz(bytes: Uint8Array, name = "npz"): Promise<Record<string, Tensor>> {
  const source = bytesSource(bytes, name);
  const arrays: Record<string, Tensor> = {};
  for (const entry of await directoryOf(source)) {
    if (entry.name.endsWith(".npy")) arrays[entry.name.slice(0, -4)] = await readNpy(await open(source, entry));
  }
  return arrays;
}

/** An .npz file, stored like `numpy.savez`, or deflated like `numpy.savez_compressed`. The same arrays give the same bytes. */
export function writeNpz(arrays: Readonly<Record<string, Tensor>>, options: { compress?: boolean } = {}): Uint8Array {
  const files = Object.entries(arrays).map(([name, tensor]) => [`${name}.npy`, writeNpy(tensor)] as const);
  return zipSync(Object.fromEntries(files), { level: options.compress ? 6 : 0, mtime: new Date(1980, 0, 1) });
}

async function open(source: ByteSource, entry: Entry): Promise<ByteSource> {
  const name = `${source.name}:${entry.name}`;
  const local = new ByteReader(await source.read(entry.offset, 30), name);
  if (local.u32() !== 0x04034b50) throw damaged(name, "a local zip header");
  local.skip(22);
  const start = entry.offset + 30 + local.u16() + local.u16();
  const packed = partOf(source, start, entry.packed, name);
  if (entry.method === 0) return packed;
  if (entry.method !== 8) throw damaged(name, "zip method 0 or 8", entry.method);
  if (entry.size > Math.min(limits.inflated, entry.packed * limits.ratio + limits.ratio)) {
    throw damaged(name, "a size that deflate can reach", entry.size);
  }
  const inflated = inflate(await packed.read(0, entry.packed), entry.size, name);
  if (crc32(inflated) !== entry.crc) throw damaged(name, "the checksum of the archive");
  return bytesSource(inflated, name);
}

function inflate(packed: Uint8Array, size: number, name: string): Uint8Array {
  try {
    const inflated = inflateSync(packed, { out: new Uint8Array(size) });
    if (inflated.length === size) return inflated;
  } catch (cause) {
    throw new AvocetError("data/unreadable", `expected deflated bytes, got ${(cause as Error).message}`, {
      at: name,
      cause,
    });
  }
  throw damaged(name, `${size} inflated bytes`);
}

/** The central directory, zip64 included. */
async function directoryOf(source: ByteSource): Promise<Entry[]> {
  const { name } = source;
  const tailSize = Math.min(source.size, 22 + 65_535 + 20);
  const tail = await source.read(source.size - tailSize, tailSize);
  let end = -1;
  for (let at = tail.length - 22; at >= 0 && end < 0; at--) {
    if (tail[at] === 0x50 && tail[at + 1] === 0x4b && tail[at + 2] === 5 && tail[at + 3] === 6) end = at;
  }
  if (end < 0) throw damaged(name, "a zip archive (.npz)");
  const record = new ByteReader(tail, name);
  record.seek(end + 10);
  let count = record.u16();
  let size = record.u32();
  let offset = record.u32();
  if (end >= 20) {
    record.seek(end - 20);
    if (record.u32() === 0x07064b50) {
      record.skip(4);
      const wide = new ByteReader(await source.read(Number(record.u64()), 56), name);
      if (wide.u32() !== 0x06064b50) throw damaged(name, "a zip64 directory");
      wide.skip(28);
      count = Number(wide.u64());
      size = Number(wide.u64());
      offset = Number(wide.u64());
    }
  }
  if (count > limits.entries || size > limits.directory) throw damaged(name, `at most ${limits.entries} arrays`, count);
  const reader = new ByteReader(await source.read(offset, size), name);
  return Array.from({ length: count }, () => readEntry(reader, name));
}

function readEntry(reader: ByteReader, archive: string): Entry {
  if (reader.u32() !== 0x02014b50) throw damaged(archive, "an entry of the zip directory");
  reader.skip(4);
  const flags = reader.u16();
  const method = reader.u16();
  reader.skip(4);
  const crc = reader.u32();
  let packed = reader.u32();
  let size = reader.u32();
  const [nameLength, extraLength, commentLength] = [reader.u16(), reader.u16(), reader.u16()];
  reader.skip(8);
  let offset = reader.u32();
  const name = new TextDecoder().decode(reader.take(nameLength));
  const extra = new ByteReader(reader.take(extraLength), archive);
  reader.skip(commentLength);
  if (flags & 1) throw damaged(`${archive}:${name}`, "an archive without encryption", "an encrypted one");
  while (extra.remaining >= 4) {
    const [tag, length] = [extra.u16(), extra.u16()];
    const field = new ByteReader(extra.take(length), archive);
    if (tag !== 1) continue;
    if (size === 0xffffffff) size = Number(field.u64());
    if (packed === 0xffffffff) packed = Number(field.u64());
    if (offset === 0xffffffff) offset = Number(field.u64());
  }
  return { name, method, crc, packed, size, offset };
}

function damaged(at: string, expected: string, got: string | number = "other bytes"): AvocetError {
  return new AvocetError("data/unreadable", `expected ${expected}, got ${got}`, {
    at,
    hint: "the file is damaged or was not copied completely",
  });
}

const table = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  return c;
});

/** The checksum of zip archives. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) crc = table[(crc ^ bytes[i]!) & 255]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
