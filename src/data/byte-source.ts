/** Bytes that are read by range, so that files larger than memory can be used: a file, a Blob, or bytes at hand. */
import { AvocetError } from "../base/inner.ts";

export interface ByteSource {
  /** The file, for messages. */
  readonly name: string;
  /** Bytes in all. */
  readonly size: number;
  /** Exactly `length` bytes from `offset`; treat them as read-only. Throws `data/unreadable` when there are fewer. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** Bytes in memory. Reading returns views. */
export function bytesSource(bytes: Uint8Array, name = "bytes"): ByteSource {
  return {
    name,
    size: bytes.length,
    read: async (offset, length) => {
      checkRange(name, bytes.length, offset, length);
      return bytes.subarray(offset, offset + length);
    },
  };
}

/** A Blob or a File of a browser. */
export function blobSource(blob: Blob, name = "blob"): ByteSource {
  return {
    name,
    size: blob.size,
    read: async (offset, length) => {
      checkRange(name, blob.size, offset, length);
      return new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
    },
  };
}

/** A part of other bytes, with its own zero. */
export function partOf(source: ByteSource, start: number, size: number, name = source.name): ByteSource {
  checkRange(source.name, source.size, start, size);
  return {
    name,
    size,
    read: async (offset, length) => {
      checkRange(name, size, offset, length);
      return source.read(start + offset, length);
    },
  };
}

/** Throws `data/unreadable` unless the range lies inside the file. */
export function checkRange(name: string, size: number, offset: number, length: number): void {
  const sound = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (!(sound && offset + length <= size)) {
    throw new AvocetError("data/unreadable", `expected ${length} bytes at offset ${offset}, the file has ${size}`, {
      at: name,
      hint: "the file is damaged or was not copied completely",
    });
  }
}
