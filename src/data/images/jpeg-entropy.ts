/** The entropy-coded bits of a JPEG scan: read symbol by symbol, and copied where they are to be kept. */
import { AvocetError } from "../../base/inner.ts";

/** Bytes that grow. */
export class ByteSink {
  #bytes: Uint8Array;
  #length = 0;

  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity);
  }

  write(bytes: ArrayLike<number>): void {
    if (this.#length + bytes.length > this.#bytes.length) {
      const grown = new Uint8Array(2 * this.#bytes.length + bytes.length);
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}

/** A canonical Huffman code (ITU-T T.81, annex C): how many codes each length has, and their symbols in order. */
export class HuffmanTable {
  readonly #counts: Uint8Array;
  readonly #symbols: Uint8Array;

  constructor(counts: Uint8Array, symbols: Uint8Array) {
    this.#counts = counts;
    this.#symbols = symbols;
  }

  /** Takes bits until they are a code; undefined when none has 16 bits or less. */
  symbol(bit: () => number): number | undefined {
    let code = 0;
    let first = 0;
    let index = 0;
    for (let length = 0; length < 16; length++) {
      code = (code << 1) | bit();
      first <<= 1;
      const count = this.#counts[length]!;
      if (code - first < count) return this.#symbols[index + code - first];
      first += count;
      index += count;
    }
    return undefined;
  }
}

/** Reads the bits of a scan; those read while `keep` is set are written out, stuffed and padded as a scan must be. */
export class EntropyCopier {
  keep = true;
  readonly #bytes: Uint8Array;
  readonly #out: ByteSink;
  readonly #name: string;
  #at: number;
  #byte = 0;
  #left = 0;
  #pending = 0;
  #filled = 0;
  readonly #bit = () => this.#next();

  constructor(bytes: Uint8Array, start: number, out: ByteSink, name: string) {
    this.#bytes = bytes;
    this.#at = start;
    this.#out = out;
    this.#name = name;
  }

  /** The next Huffman symbol. Throws `data/unreadable`. */
  symbol(table: HuffmanTable): number {
    const symbol = table.symbol(this.#bit);
    if (symbol === undefined) throw this.#damaged("a Huffman code");
    return symbol;
  }

  /** Passes over `count` bits. */
  bits(count: number): void {
    for (let i = 0; i < count; i++) this.#next();
  }

  /** Passes over the 63 coefficients of a sequential block: symbols are zeros to skip and the size of what follows. */
  coefficients(table: HuffmanTable): void {
    for (let k = 1; k < 64; k++) {
      const symbol = this.symbol(table);
      const [zeros, size] = [symbol >> 4, symbol & 15];
      if (size === 0 && zeros < 15) return;
      k += zeros;
      this.bits(size);
    }
  }

  /** Passes over a restart marker, and writes it. */
  restart(): void {
    this.#left = 0;
    const marker = this.#bytes[this.#at + 1] ?? 0;
    if (this.#bytes[this.#at] !== 0xff || marker < 0xd0 || marker > 0xd7) throw this.#damaged("a restart marker");
    this.#at += 2;
    this.#pad();
    this.#out.write([0xff, marker]);
  }

  /** Ends the scan; returns the place after its last byte. */
  finish(): number {
    this.#pad();
    return this.#at;
  }

  #next(): number {
    if (this.#left === 0) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) throw this.#damaged("more data");
      // In a scan 0xff is followed by a stuffed 0; anything else is a marker.
      if (byte === 0xff && this.#bytes[this.#at + 1] !== 0) throw this.#damaged("more data before a marker");
      this.#at += byte === 0xff ? 2 : 1;
      this.#byte = byte;
      this.#left = 8;
    }
    const bit = (this.#byte >> --this.#left) & 1;
    if (this.keep) this.#put(bit);
    return bit;
  }

  #put(bit: number): void {
    this.#pending = (this.#pending << 1) | bit;
    if (++this.#filled < 8) return;
    this.#out.write(this.#pending === 0xff ? [0xff, 0] : [this.#pending]);
    this.#pending = 0;
    this.#filled = 0;
  }

  /** Fills the last byte with ones. */
  #pad(): void {
    while (this.#filled > 0) this.#put(1);
  }

  #damaged(expected: string): AvocetError {
    return new AvocetError("data/unreadable", `expected ${expected} in the JPEG scan, got other bytes`, {
      at: this.#name,
      hint: "the image is damaged or was not copied completely",
    });
  }
}
