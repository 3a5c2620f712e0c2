/** Reads tables of sorted keys in LevelDB's form: the index of TensorFlow's variables. Every offset and length is checked. */
import { AvocetError } from "../../base/inner.ts";
import { limits } from "../limits.ts";

/** The last bytes of such a table, least significant first. */
const magic = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb];
const footerBytes = 48;
/** After each block: how it is compressed, and a check sum. */
const trailerBytes = 5;

interface Span {
  readonly offset: number;
  readonly size: number;
}

/** All entries in the order of the file. Throws `import/malformed`, and `import/unsupported-type` for compressed blocks. */
export function readTable(bytes: Uint8Array, file: string): Map<string, Uint8Array> {
  const broken = (problem: string) =>
    new AvocetError("import/malformed", problem, {
      at: file,
      hint: "the index of the variables is damaged or was not copied completely",
    });
  const end = bytes.length - footerBytes;
  if (end < 0 || !magic.every((byte, i) => bytes[bytes.length - 8 + i] === byte))
    throw broken("expected an index of variables, got something else");

  /** A number in groups of seven bits; the next one begins behind it. */
  const varint = (at: number, stop: number): [value: number, next: number] => {
    let value = 0;
    for (let i = 0; i < 8; i++) {
      const byte = at + i < stop ? bytes[at + i]! : -1;
      if (byte < 0) break;
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return [value, at + i + 1];
    }
    throw broken(`expected a number at offset ${at}, got none`);
  };
  const span = (at: number, stop: number): [Span, number] => {
    const [offset, after] = varint(at, stop);
    const [size, next] = varint(after, stop);
    if (!(offset + size + trailerBytes <= end))
      throw broken(`expected a block of the file, got ${size} bytes at ${offset}`);
    if (bytes[offset + size] !== 0) {
      throw new AvocetError("import/unsupported-type", "expected an index that is not compressed", {
        at: file,
        hint: "save the model again",
      });
    }
    return [{ offset, size }, next];
  };

  let entries = 0;
  /** The entries of a block; a key repeats the beginning of the one before it. */
  const block = function* ({ offset, size }: Span): Iterable<[key: Uint8Array, value: Span]> {
    const last = offset + size - 4;
    const restarts = size < 4 ? -1 : new DataView(bytes.buffer, bytes.byteOffset + last, 4).getUint32(0, true);
    const stop = last - restarts * 4;
    if (restarts < 0 || stop < offset)
      throw broken(`expected a block at offset ${offset}, got ${size} bytes with ${restarts} restarts`);
    let key = new Uint8Array();
    for (let at = offset; at < stop; ) {
      const [shared, a] = varint(at, stop);
      const [fresh, b] = varint(a, stop);
      const [length, c] = varint(b, stop);
      if (shared > key.length || c + fresh + length > stop)
        throw broken(`expected an entry at offset ${at}, got one that does not fit`);
      if (shared + fresh > longestKey)
        throw broken(`expected a key of at most ${longestKey} bytes, got ${shared + fresh}`);
      if (++entries > limits.graphParts) throw broken(`expected at most ${limits.graphParts} variables, got more`);
      const next = new Uint8Array(shared + fresh);
      next.set(key.subarray(0, shared));
      next.set(bytes.subarray(c, c + fresh), shared);
      key = next;
      yield [key, { offset: c + fresh, size: length }];
      at = c + fresh + length;
    }
  };

  // The footer has the place of a block about the table, and then that of the index.
  const [, after] = span(end, bytes.length - 8);
  const [index] = span(after, bytes.length - 8);
  const found = new Map<string, Uint8Array>();
  const decoder = new TextDecoder();
  for (const [, place] of block(index)) {
    const [data] = span(place.offset, place.offset + place.size);
    for (const [key, value] of block(data))
      found.set(decoder.decode(key), bytes.subarray(value.offset, value.offset + value.size));
  }
  return found;
}

/** Keys are paths of objects and attributes. */
const longestKey = 4096;
