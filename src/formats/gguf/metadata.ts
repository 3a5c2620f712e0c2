/** What a GGUF file says of itself: values by key, lists decoded when they are asked for (a vocabulary is a list of 250,000 texts). */
import { AvocetError, type ByteReader } from "../../base/inner.ts";
import { limits } from "../limits.ts";

type Scalar = string | number | boolean | bigint;

/** How a value of each type is read, by the file's number. Lists (9) are read apart. */
const scalars: Readonly<Record<number, (reader: ByteReader) => Scalar>> = {
  0: (r) => r.u8(),
  1: (r) => (r.u8() << 24) >> 24,
  2: (r) => r.u16(),
  3: (r) => (r.u16() << 16) >> 16,
  4: (r) => r.u32(),
  5: (r) => r.u32() | 0,
  6: (r) => viewOf(r.take(4)).getFloat32(0, true),
  7: (r) => r.u8() !== 0,
  8: readText,
  10: (r) => r.u64(),
  11: (r) => BigInt.asIntN(64, r.u64()),
  12: (r) => viewOf(r.take(8)).getFloat64(0, true),
};
const widths: Readonly<Record<number, number>> = {
  0: 1,
  1: 1,
  2: 2,
  3: 2,
  4: 4,
  5: 4,
  6: 4,
  7: 1,
  10: 8,
  11: 8,
  12: 8,
};
const listType = 9;
const textType = 8;

/** Bytes of a key or a name: the format's own limit of keys is 65,535. */
const longestName = 65_535;

export class GgufMetadata {
  readonly #scalars = new Map<string, Scalar>();
  readonly #lists = new Map<string, () => readonly Scalar[]>();
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  keys(): string[] {
    return [...this.#scalars.keys(), ...this.#lists.keys()];
  }

  /** Reads one key and its value. Throws `import/malformed` and `import/truncated`. */
  read(reader: ByteReader): void {
    const key = readName(reader, this.#file);
    if (this.#scalars.has(key) || this.#lists.has(key)) {
      throw this.#malformed(`expected every key once, got ${JSON.stringify(key)} twice`);
    }
    const type = reader.u32();
    if (type === listType) this.#lists.set(key, this.#readList(reader, key));
    else this.#scalars.set(key, this.#scalarReader(type, key)(reader));
  }

  number(key: string): number | undefined {
    const found = this.#scalars.get(key);
    return typeof found === "number" || typeof found === "bigint" ? Number(found) : undefined;
  }

  text(key: string): string | undefined {
    const found = this.#scalars.get(key);
    return typeof found === "string" ? found : undefined;
  }

  list(key: string): readonly Scalar[] | undefined {
    return this.#lists.get(key)?.();
  }

  /** Texts and numbers, for what is kept of a file. */
  *entries(): Iterable<readonly [string, Scalar]> {
    yield* this.#scalars;
  }

  /** Walks over a list without decoding it. */
  #readList(reader: ByteReader, key: string): () => readonly Scalar[] {
    const type = reader.u32();
    const read = this.#scalarReader(type, key);
    const count = Number(reader.u64());
    const start = reader.offset;
    if (type === textType) for (let i = 0; i < count; i++) reader.skip(Number(reader.u64()));
    else reader.skip(count * widths[type]!);
    const end = reader.offset;
    return () => {
      reader.seek(start);
      const values: Scalar[] = [];
      while (reader.offset < end) values.push(read(reader));
      return values;
    };
  }

  #scalarReader(type: number, key: string): (reader: ByteReader) => Scalar {
    const read = Object.hasOwn(scalars, type) ? scalars[type] : undefined;
    if (read) return read;
    throw this.#malformed(`expected a known type of ${JSON.stringify(key)}, got number ${type}`);
  }

  #malformed(problem: string): AvocetError {
    return new AvocetError("import/malformed", problem, { at: this.#file });
  }
}

/** A key or the name of a tensor. */
export function readName(reader: ByteReader, file: string): string {
  const length = Number(reader.u64());
  if (length > longestName) {
    throw new AvocetError("import/malformed", `expected a name of at most ${longestName} bytes, got ${length}`, {
      at: file,
    });
  }
  return new TextDecoder().decode(reader.take(length));
}

function readText(reader: ByteReader): string {
  const length = Number(reader.u64());
  if (length > limits.textBytes) {
    throw new AvocetError("import/too-large", `expected a text of at most ${limits.textBytes} bytes, got ${length}`);
  }
  return new TextDecoder().decode(reader.take(length));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
