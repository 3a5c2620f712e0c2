/**
 * A reader of FlatBuffers without a schema: tables by the numbers of their fields. Every offset is checked before it is followed.
 * Offsets lead forward only, so that nothing can contain itself; how often a table is looked at is counted.
 */
import { AvocetError } from "../../base/inner.ts";
import { limits } from "../limits.ts";

/** The bytes of one file, and how much of them was decoded. */
class Flat {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly name: string;
  #units = 0;

  constructor(bytes: Uint8Array, name: string) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.name = name;
  }

  /** The place, if `length` bytes lie there. */
  at(offset: number, length: number): number {
    if (Number.isSafeInteger(offset) && offset >= 0 && offset + length <= this.bytes.length) return offset;
    throw new AvocetError(
      "import/truncated",
      `expected ${length} bytes at offset ${offset}, the file has ${this.bytes.length}`,
      { at: this.name, hint: "the file is damaged or was not copied completely" },
    );
  }

  /** Where the offset that is stored here leads. */
  follow(at: number): number {
    const step = this.view.getUint32(this.at(at, 4), true);
    if (step < 4) throw this.broken(`expected an offset that leads forward at ${at}, got ${step}`);
    return this.at(at + step, 4);
  }

  count(units: number): void {
    this.#units += units;
    if (this.#units <= limits.decodedUnits) return;
    throw new AvocetError("import/too-large", `expected at most ${limits.decodedUnits} elements, got more`, {
      at: this.name,
    });
  }

  broken(problem: string): AvocetError {
    return new AvocetError("import/malformed", problem, { at: this.name });
  }
}

/** The table that a file begins with. Throws `import/truncated` and `import/malformed`. */
export function rootTable(bytes: Uint8Array, name: string): FlatTable {
  const flat = new Flat(bytes, name);
  return new FlatTable(flat, flat.follow(0));
}

/** A table: fields by number, in the order of the schema; an absent field has the value that is named as its default. */
export class FlatTable {
  readonly #flat: Flat;
  readonly #at: number;
  readonly #fields: number;
  readonly #count: number;

  constructor(flat: Flat, at: number) {
    flat.count(limits.messageCost);
    const { view } = flat;
    const fields = at - view.getInt32(flat.at(at, 4), true);
    const length = view.getUint16(flat.at(fields, 4), true);
    if (length < 4 || length % 2 !== 0)
      throw flat.broken(`expected a list of fields at ${fields}, got length ${length}`);
    flat.at(fields, length);
    this.#flat = flat;
    this.#at = at;
    this.#fields = fields;
    this.#count = (length - 4) / 2;
  }

  /** Where a field of this many bytes lies, or undefined. */
  #field(field: number, size: number): number | undefined {
    if (field >= this.#count) return undefined;
    const offset = this.#flat.view.getUint16(this.#fields + 4 + 2 * field, true);
    return offset === 0 ? undefined : this.#flat.at(this.#at + offset, size);
  }

  i8(field: number, absent = 0): number {
    const at = this.#field(field, 1);
    return at === undefined ? absent : this.#flat.view.getInt8(at);
  }

  u8(field: number, absent = 0): number {
    const at = this.#field(field, 1);
    return at === undefined ? absent : this.#flat.view.getUint8(at);
  }

  i32(field: number, absent = 0): number {
    const at = this.#field(field, 4);
    return at === undefined ? absent : this.#flat.view.getInt32(at, true);
  }

  u32(field: number, absent = 0): number {
    const at = this.#field(field, 4);
    return at === undefined ? absent : this.#flat.view.getUint32(at, true);
  }

  f32(field: number, absent = 0): number {
    const at = this.#field(field, 4);
    return at === undefined ? absent : this.#flat.view.getFloat32(at, true);
  }

  u64(field: number): number {
    const at = this.#field(field, 8);
    return at === undefined ? 0 : Number(this.#flat.view.getBigUint64(at, true));
  }

  text(field: number): string | undefined {
    const at = this.#field(field, 4);
    if (at === undefined) return undefined;
    const { start, count } = this.#vector(at, 1);
    if (count > limits.textBytes)
      throw this.#flat.broken(`expected a text of at most ${limits.textBytes} bytes, got ${count}`);
    this.#flat.count(limits.textCost + count / 64);
    return new TextDecoder().decode(this.#flat.bytes.subarray(start, start + count));
  }

  table(field: number): FlatTable | undefined {
    const at = this.#field(field, 4);
    return at === undefined ? undefined : new FlatTable(this.#flat, this.#flat.follow(at));
  }

  /** A list of tables; empty where it is absent. */
  tables(field: number): FlatTable[] {
    const at = this.#field(field, 4);
    if (at === undefined) return [];
    const { start, count } = this.#vector(at, 4);
    return Array.from({ length: count }, (_, i) => new FlatTable(this.#flat, this.#flat.follow(start + 4 * i)));
  }

  /** A list of bytes as a view. */
  bytes(field: number): Uint8Array | undefined {
    const at = this.#field(field, 4);
    if (at === undefined) return undefined;
    const { start, count } = this.#vector(at, 1);
    return this.#flat.bytes.subarray(start, start + count);
  }

  i32s(field: number): number[] | undefined {
    return this.#numbers(field, 4, (view, at) => view.getInt32(at, true));
  }

  f32s(field: number): number[] | undefined {
    return this.#numbers(field, 4, (view, at) => view.getFloat32(at, true));
  }

  /** 64-bit numbers; beyond 2⁵³ they lose precision. */
  i64s(field: number): number[] | undefined {
    return this.#numbers(field, 8, (view, at) => Number(view.getBigInt64(at, true)));
  }

  #numbers(field: number, width: number, read: (view: DataView, at: number) => number): number[] | undefined {
    const at = this.#field(field, 4);
    if (at === undefined) return undefined;
    const { start, count } = this.#vector(at, width);
    this.#flat.count(count);
    return Array.from({ length: count }, (_, i) => read(this.#flat.view, start + width * i));
  }

  #vector(at: number, width: number): { readonly start: number; readonly count: number } {
    const head = this.#flat.follow(at);
    const count = this.#flat.view.getUint32(head, true);
    return { start: this.#flat.at(head + 4, count * width), count };
  }
}
