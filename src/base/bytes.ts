/** A reader of untrusted little-endian bytes: every length is checked before it is used, views instead of copies. */
import { AvocetError } from "./errors.ts";

export class ByteReader {
  #at = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #name: string;

  /** `name` is the file, for messages. */
  constructor(bytes: Uint8Array, name: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#name = name;
  }

  get offset(): number {
    return this.#at;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  /** The next `length` bytes as a view. Throws `import/truncated`. */
  take(length: number): Uint8Array {
    const end = this.#at + length;
    if (!(Number.isSafeInteger(length) && length >= 0 && end <= this.#bytes.length)) {
      throw new AvocetError(
        "import/truncated",
        `expected ${length} bytes at offset ${this.#at}, the file has ${this.#bytes.length}`,
        { at: this.#name, hint: "the file is damaged or was not copied completely" },
      );
    }
    const view = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return view;
  }

  skip(length: number): void {
    this.take(length);
  }

  seek(offset: number): void {
    this.#at = 0;
    this.take(offset);
  }

  u8(): number {
    return this.take(1)[0]!;
  }

  u16(): number {
    const at = this.#at;
    this.take(2);
    return this.#view.getUint16(at, true);
  }

  u32(): number {
    const at = this.#at;
    this.take(4);
    return this.#view.getUint32(at, true);
  }

  u64(): bigint {
    const at = this.#at;
    this.take(8);
    return this.#view.getBigUint64(at, true);
  }

  ascii(length: number): string {
    let text = "";
    for (const byte of this.take(length)) text += String.fromCharCode(byte);
    return text;
  }
}
