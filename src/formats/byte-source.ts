/** Bytes that are read by range when needed: a file next to the model, or a buffer in memory. */

export interface ByteSource {
  /** The file, for messages and to recognise it again. */
  readonly name: string;
  readonly size: number;
  /** Exactly these bytes; may be a view. Callers check the range against `size` first. */
  read(offset: number, length: number): Uint8Array;
}

/** A buffer as a source. */
export function bytesSource(name: string, bytes: Uint8Array): ByteSource {
  return { name, size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}

/** A part of a source; callers have checked that it lies inside. */
export function rangeOf({ name, read }: ByteSource, start: number, size: number): ByteSource {
  return { name, size, read: (offset, length) => read(start + offset, length) };
}

/** The same memory as a Uint8Array proper: a Node Buffer's `slice` and `subarray` mean something else. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
