/**
 * Zip archives by range: the central directory, and entries that are stored or deflated. Written once for sources that answer at once
 * and for those that answer later: what needs bytes yields their range.
 */
import { ByteReader } from "../bytes.ts";
import type { ErrorCode } from "../error-codes.ts";
import { AvocetError } from "../errors.ts";
import { crc32 } from "./crc32.ts";
import { type Inflated, inflateUpTo } from "./inflate.ts";
import { archiveLimits } from "./limits.ts";

/** What an archive is read as: its name, and how its faults are called. */
export interface ZipRules {
  readonly name: string;
  readonly size: number;
  /** With its article: "a zip archive (.npz)". */
  readonly what: string;
  readonly damaged: ErrorCode;
  readonly tooLarge: ErrorCode;
  /** The most entries, and what to do about more. */
  readonly entries: { readonly most: number; readonly what: string; readonly hint: string };
  /** Inflated bytes of all entries together, and what to do about more. */
  readonly inflated: { readonly most: number; readonly hint: string };
}

export interface ZipEntry {
  /** As it stands in the archive; never a path to write to. */
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly offset: number;
}

/** Bytes that are asked for. */
export interface ZipRange {
  readonly offset: number;
  readonly length: number;
}

/** What asks for ranges of bytes, and returns a result. */
export type ZipReading<T> = Generator<ZipRange, T, Uint8Array>;

/** Where an entry lies: stored bytes are a range of the archive, deflated ones were inflated. */
export type ZipContent = { readonly start: number; readonly size: number } | { readonly inflated: Uint8Array };

/** Bytes of the header before an entry, without its name. */
const localHeader = 30;

/** Runs a reading on bytes that are there at once. Ranges were checked against the size of the archive. */
export function readZip<T>(reading: ZipReading<T>, read: (offset: number, length: number) => Uint8Array): T {
  let step = reading.next();
  while (!step.done) step = reading.next(read(step.value.offset, step.value.length));
  return step.value;
}

/** Runs a reading on bytes that come later. */
export async function readZipLater<T>(
  reading: ZipReading<T>,
  read: (offset: number, length: number) => Promise<Uint8Array>,
): Promise<T> {
  let step = reading.next();
  while (!step.done) step = reading.next(await read(step.value.offset, step.value.length));
  return step.value;
}

/**
 * The central directory, zip64 included. Throws the codes of `rules` for what is no archive, for entries that lie over each other, are
 * encrypted or claim more than deflate can reach, and for names that lead out of the archive (`..`, absolute ones).
 */
export function* zipDirectory(rules: ZipRules): ZipReading<ZipEntry[]> {
  const tailSize = Math.min(rules.size, 22 + 65_535 + 20);
  const tail = yield* range(rules, rules.size - tailSize, tailSize);
  let end = -1;
  for (let at = tail.length - 22; at >= 0 && end < 0; at--) {
    if (tail[at] === 0x50 && tail[at + 1] === 0x4b && tail[at + 2] === 5 && tail[at + 3] === 6) end = at;
  }
  if (end < 0) throw damaged(rules, rules.name, rules.what);
  const record = new ByteReader(tail, rules.name);
  record.seek(end + 10);
  let count = record.u16();
  let size = record.u32();
  let offset = record.u32();
  if (end >= 20) {
    record.seek(end - 20);
    if (record.u32() === 0x07064b50) {
      record.skip(4);
      const wide = new ByteReader(yield* range(rules, Number(record.u64()), 56), rules.name);
      if (wide.u32() !== 0x06064b50) throw damaged(rules, rules.name, "a zip64 directory");
      wide.skip(28);
      count = Number(wide.u64());
      size = Number(wide.u64());
      offset = Number(wide.u64());
    }
  }
  const { most, what, hint } = rules.entries;
  if (count > most || size > archiveLimits.zipDirectoryBytes) {
    throw new AvocetError(rules.tooLarge, `expected at most ${most} ${what}, got ${count}`, { at: rules.name, hint });
  }
  const reader = new ByteReader(yield* range(rules, offset, size), rules.name);
  const entries = Array.from({ length: count }, () => readEntry(reader, rules));
  expectBounded(entries, rules);
  return entries;
}

/** The bytes of one entry. Throws the codes of `rules` for other methods, lengths and check sums than the directory says. */
export function* zipContent(rules: ZipRules, entry: ZipEntry): ZipReading<ZipContent> {
  const name = `${rules.name}:${entry.name}`;
  const local = new ByteReader(yield* range(rules, entry.offset, localHeader), name);
  if (local.u32() !== 0x04034b50) throw damaged(rules, name, "a local zip header");
  local.skip(22);
  const start = entry.offset + localHeader + local.u16() + local.u16();
  if (start + entry.packed > rules.size) throw damaged(rules, name, `${entry.packed} bytes`, "the end of the archive");
  if (entry.method === 0) {
    if (entry.size !== entry.packed) throw damaged(rules, name, `${entry.packed} stored bytes`, entry.size);
    return { start, size: entry.packed };
  }
  if (entry.method !== 8) throw damaged(rules, name, "zip method 0 or 8", entry.method);
  if (entry.size > (entry.packed + 1) * archiveLimits.inflateRatio) {
    throw damaged(rules, name, "a size that deflate can reach", entry.size);
  }
  const packed = yield* range(rules, start, entry.packed);
  const inflated = inflate(rules, packed, entry.size, name);
  if (crc32(inflated) !== entry.crc) throw damaged(rules, name, "the checksum of the archive");
  return { inflated };
}

/** An honest archive keeps each entry once. One that lays many over the same bytes, or inflates without measure, takes memory. */
function expectBounded(entries: readonly ZipEntry[], rules: ZipRules): void {
  const sorted = [...entries].sort((a, b) => a.offset - b.offset);
  for (const [i, { name, offset, packed }] of sorted.entries()) {
    const next = sorted[i + 1];
    if (next && offset + localHeader + packed > next.offset) {
      throw damaged(rules, rules.name, "entries apart from each other", `${next.name} inside ${name}`);
    }
  }
  const inflated = entries.reduce((sum, { method, size }) => sum + (method === 0 ? 0 : size), 0);
  if (inflated <= rules.inflated.most) return;
  throw new AvocetError(rules.tooLarge, `expected at most ${rules.inflated.most} inflated bytes, got ${inflated}`, {
    at: rules.name,
    hint: rules.inflated.hint,
  });
}

function readEntry(reader: ByteReader, rules: ZipRules): ZipEntry {
  if (reader.u32() !== 0x02014b50) throw damaged(rules, rules.name, "an entry of the zip directory");
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
  const extra = new ByteReader(reader.take(extraLength), rules.name);
  reader.skip(commentLength);
  if (flags & 1) throw damaged(rules, `${rules.name}:${name}`, "an archive without encryption", "an encrypted one");
  if (/^([a-z]:|[\\/])/i.test(name) || name.includes("\0") || name.split(/[\\/]/).includes("..")) {
    throw damaged(rules, rules.name, "names inside the archive", JSON.stringify(name));
  }
  while (extra.remaining >= 4) {
    const [tag, length] = [extra.u16(), extra.u16()];
    const field = new ByteReader(extra.take(length), rules.name);
    if (tag !== 1) continue;
    if (size === 0xffffffff) size = Number(field.u64());
    if (packed === 0xffffffff) packed = Number(field.u64());
    if (offset === 0xffffffff) offset = Number(field.u64());
  }
  return { name, method, crc, packed, size, offset };
}

function inflate(rules: ZipRules, packed: Uint8Array, size: number, name: string): Uint8Array {
  let inflated: Inflated;
  try {
    inflated = inflateUpTo(packed, size, "raw");
  } catch (cause) {
    throw new AvocetError(rules.damaged, `expected deflated bytes, got ${(cause as Error).message}`, {
      at: name,
      cause,
    });
  }
  if (inflated.more || inflated.bytes.length !== size) throw damaged(rules, name, `${size} inflated bytes`);
  return inflated.bytes;
}

function* range(rules: ZipRules, offset: number, length: number): ZipReading<Uint8Array> {
  const sound = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (!(sound && offset + length <= rules.size)) {
    throw damaged(rules, rules.name, `${length} bytes at offset ${offset}`, `${rules.size} in all`);
  }
  return yield { offset, length };
}

function damaged(rules: ZipRules, at: string, expected: string, got: string | number = "other bytes"): AvocetError {
  return new AvocetError(rules.damaged, `expected ${expected}, got ${got}`, {
    at,
    hint: "the file is damaged or was not copied completely",
  });
}
