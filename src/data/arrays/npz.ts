/** NumPy's .npz files: zip archives of .npy arrays. Stored arrays are read by range, deflated ones are held whole. */
import { zipSync } from "fflate";
import { AvocetError, ByteReader } from "../../base/inner.ts";
import type { Tensor } from "../../tensor/inner.ts";
import type { ArrayRows } from "../array-rows.ts";
import { type ByteSource, bytesSource, partOf } from "../byte-source.ts";
import { crc32 } from "../crc32.ts";
import { type Inflated, inflateUpTo } from "../inflate.ts";
import { dataLimits } from "../limits.ts";
import { openNpy, readNpy, writeNpy } from "./npy.ts";

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly offset: number;
}

/** Opens every array of an .npz file, by name. Throws `data/unreadable`, `data/too-large`. */
export async function openNpz(source: ByteSource): Promise<Map<string, ArrayRows>> {
  const arrays = new Map<string, ArrayRows>();
  for (const entry of await directoryOf(source)) {
    if (entry.name.endsWith(".npy")) arrays.set(entry.name.slice(0, -4), await openNpy(await open(source, entry)));
  }
  return arrays;
}

/** Reads every array of an .npz file. Throws `data/unreadable`, `data/too-large`. */
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
  const local = new ByteReader(await source.read(entry.offset, localHeader), name);
  if (local.u32() !== 0x04034b50) throw damaged(name, "a local zip header");
  local.skip(22);
  const start = entry.offset + localHeader + local.u16() + local.u16();
  const packed = partOf(source, start, entry.packed, name);
  if (entry.method === 0) return packed;
  if (entry.method !== 8) throw damaged(name, "zip method 0 or 8", entry.method);
  if (entry.size > (entry.packed + 1) * dataLimits.inflateRatio) {
    throw damaged(name, "a size that deflate can reach", entry.size);
  }
  const inflated = inflate(await packed.read(0, entry.packed), entry.size, name);
  if (crc32(inflated) !== entry.crc) throw damaged(name, "the checksum of the archive");
  return bytesSource(inflated, name);
}

function inflate(packed: Uint8Array, size: number, name: string): Uint8Array {
  let inflated: Inflated;
  try {
    inflated = inflateUpTo(packed, size, "raw");
  } catch (cause) {
    throw new AvocetError("data/unreadable", `expected deflated bytes, got ${(cause as Error).message}`, {
      at: name,
      cause,
    });
  }
  if (inflated.more || inflated.bytes.length !== size) throw damaged(name, `${size} inflated bytes`);
  return inflated.bytes;
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
  if (count > dataLimits.arrays || size > dataLimits.zipDirectoryBytes) {
    throw new AvocetError("data/too-large", `expected at most ${dataLimits.arrays} arrays, got ${count}`, {
      at: name,
      hint: "one array for each input of the model, with the samples on its first axis",
    });
  }
  const reader = new ByteReader(await source.read(offset, size), name);
  const entries = Array.from({ length: count }, () => readEntry(reader, name));
  expectBounded(entries, name);
  return entries;
}

/** An honest archive keeps each entry once. One that lays many over the same bytes, or inflates without measure, takes memory. */
function expectBounded(entries: readonly Entry[], archive: string): void {
  const sorted = [...entries].sort((a, b) => a.offset - b.offset);
  for (const [i, { name, offset, packed }] of sorted.entries()) {
    const next = sorted[i + 1];
    if (next && offset + localHeader + packed > next.offset) {
      throw damaged(archive, "entries apart from each other", `${next.name} inside ${name}`);
    }
  }
  const inflated = entries.reduce((sum, { method, size }) => sum + (method === 0 ? 0 : size), 0);
  if (inflated <= dataLimits.inflatedBytes) return;
  throw new AvocetError(
    "data/too-large",
    `expected at most ${dataLimits.inflatedBytes} inflated bytes, got ${inflated}`,
    {
      at: archive,
      hint: "save it with numpy.savez, without compression: then it is read by range",
    },
  );
}

/** Bytes of the header before an entry, without its name. */
const localHeader = 30;

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
