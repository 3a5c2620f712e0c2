/** The bytes of an HDF5 file by address: every one is checked, and how much is decoded is counted, so that cycles come to an end. */
import { AvocetError } from "../../base/inner.ts";
import { limits } from "../limits.ts";

/** What stands for "no address". */
const undefinedAddress = 0xffff_ffff_ffff_ffffn;

export class Space {
  readonly bytes: Uint8Array;
  readonly name: string;
  readonly #view: DataView;
  #base = 0;
  #units = 0;

  constructor(bytes: Uint8Array, name: string) {
    this.bytes = bytes;
    this.name = name;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Where addresses of the file count from. */
  set base(base: number) {
    this.#base = base;
  }

  /** A reader from an address on that ends after `length` bytes (default: with the file). */
  at(address: number, length = this.bytes.length - this.#base - address): Cursor {
    this.count(1);
    return new Cursor(this, this.#view, this.place(this.#base + address, length), length);
  }

  place(offset: number, length: number): number {
    const fits = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
    if (fits && offset + length <= this.bytes.length) return offset;
    throw new AvocetError(
      "import/truncated",
      `expected ${length} bytes at offset ${offset}, the file has ${this.bytes.length}`,
      { at: this.name, hint: "the file is damaged or was not copied completely" },
    );
  }

  count(units: number): void {
    this.#units += units * limits.messageCost;
    if (this.#units <= limits.decodedUnits) return;
    throw new AvocetError("import/too-large", "expected an HDF5 file of an honest number of parts, got more", {
      at: this.name,
    });
  }

  broken(problem: string): AvocetError {
    return new AvocetError("import/malformed", problem, { at: this.name });
  }

  /** What this reader leaves out, with the way to a file without it. */
  unsupported(what: string): AvocetError {
    return new AvocetError("import/unsupported-type", `expected an HDF5 file as Keras writes it, got ${what}`, {
      at: this.name,
      hint: "open it in Keras and save it again",
    });
  }
}

export class Cursor {
  readonly space: Space;
  readonly #view: DataView;
  readonly #start: number;
  readonly #end: number;
  #at: number;

  constructor(space: Space, view: DataView, at: number, length: number) {
    this.space = space;
    this.#view = view;
    this.#start = at;
    this.#at = at;
    this.#end = at + length;
  }

  get left(): number {
    return this.#end - this.#at;
  }

  /** The place of the next `length` bytes, which are passed. */
  #pass(length: number): number {
    const at = this.#at;
    if (length > this.#end - at) {
      throw this.space.broken(`expected ${length} bytes at offset ${at}, the part ends at ${this.#end}`);
    }
    this.#at = at + length;
    return at;
  }

  u8(): number {
    return this.#view.getUint8(this.#pass(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#pass(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#pass(4), true);
  }

  /** A length or an offset. */
  u64(): number {
    const value = Number(this.#view.getBigUint64(this.#pass(8), true));
    if (Number.isSafeInteger(value)) return value;
    throw this.space.broken(`expected an address or a length, got ${value}`);
  }

  /** An address that may be absent. */
  address(): number | undefined {
    const at = this.#pass(8);
    if (this.#view.getBigUint64(at, true) === undefinedAddress) return undefined;
    this.#at = at;
    return this.u64();
  }

  skip(length: number): void {
    this.#pass(length);
  }

  /** Passes what is left of a multiple of `unit` bytes from the start. */
  align(unit: number): void {
    const over = (this.#at - this.#start) % unit;
    if (over > 0) this.#pass(Math.min(unit - over, this.left));
  }

  /** A reader of the next `length` bytes, which are passed. */
  part(length: number): Cursor {
    return new Cursor(this.space, this.#view, this.#pass(length), length);
  }

  take(length: number): Uint8Array {
    const at = this.#pass(length);
    return this.space.bytes.subarray(at, at + length);
  }

  /** Expects these four letters. */
  signature(wanted: string): void {
    const found = String.fromCharCode(...this.take(4));
    if (found !== wanted) throw this.space.broken(`expected ${wanted} in the file, got ${JSON.stringify(found)}`);
  }
}

/** Text up to the first zero. */
export function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}
