/** Variables of a SavedModel: an index that says where each lies, and files that hold them one after the other. */
import { AvocetError } from "../../base/inner.ts";
import { byteLength, sizeOf, Tensor } from "../../tensor/inner.ts";
import type { ByteSource } from "../byte-source.ts";
import { limits } from "../limits.ts";
import type { ExternalData } from "../onnx/context.ts";
import { Decoding, decode } from "../protobuf/decode.ts";
import { bundleEntryType, bundleHeaderType } from "./schema.ts";
import { readTable } from "./table.ts";
import { dtypeOf, shapeFromProto } from "./types.ts";

export class Bundle {
  readonly #entries: ReadonlyMap<string, Uint8Array>;
  readonly #shards: number;
  readonly #prefix: string;
  readonly #external: ExternalData;
  readonly #file: string;
  readonly #sources = new Map<number, ByteSource>();

  private constructor(
    entries: ReadonlyMap<string, Uint8Array>,
    shards: number,
    prefix: string,
    external: ExternalData,
    file: string,
  ) {
    this.#entries = entries;
    this.#shards = shards;
    this.#prefix = prefix;
    this.#external = external;
    this.#file = file;
  }

  /** Opens PREFIX.index, which `external` finds next to the model. Throws `import/not-found`, `import/malformed`, `import/unsupported-type`. */
  static open(prefix: string, external: ExternalData): Bundle {
    const source = external(`${prefix}.index`);
    const file = source.name;
    if (source.size > limits.textBytes) {
      throw new AvocetError(
        "import/too-large",
        `expected an index of at most ${limits.textBytes} bytes, got ${source.size}`,
        { at: file },
      );
    }
    const entries = readTable(source.read(0, source.size), file);
    // The entry without a key is about the whole.
    const header = decode(
      bundleHeaderType,
      entries.get("") ?? new Uint8Array(),
      new Decoding(file, "an index of variables"),
    );
    const { shards = 0, endianness = 0 } = header;
    if (endianness !== 0)
      throw new AvocetError("import/unsupported-type", "expected variables in little-endian order", { at: file });
    if (shards < 1 || shards > limits.graphParts)
      throw new AvocetError("import/malformed", `expected a number of files, got ${shards}`, { at: file });
    return new Bundle(entries, shards, prefix, external, file);
  }

  has(key: string): boolean {
    return key !== "" && this.#entries.has(key);
  }

  /** A variable, read when its data is looked at. Throws `import/malformed`, `import/truncated`, `import/unsupported-type`. */
  tensor(key: string): Tensor {
    const where = `${this.#file}: ${key}`;
    const bytes = this.#entries.get(key);
    if (!bytes)
      throw new AvocetError("import/not-found", `expected the variable ${JSON.stringify(key)}, got none of that name`, {
        at: this.#file,
      });
    const entry = decode(bundleEntryType, bytes, new Decoding(this.#file, "an index of variables"));
    const dtype = dtypeOf(entry.dtype ?? 0);
    if (!dtype || dtype === "string" || entry.slices.length > 0) {
      const got = entry.slices.length > 0 ? "one in slices" : `type number ${entry.dtype ?? 0}`;
      throw new AvocetError("import/unsupported-type", `expected a variable of numbers in one piece, got ${got}`, {
        at: where,
      });
    }
    const shape = shapeFromProto(entry.shape, where);
    const [offset, size] = [entry.offset ?? 0, entry.size ?? 0];
    const expected = byteLength(dtype, sizeOf(shape));
    if (typeof offset !== "number" || offset < 0 || size !== expected) {
      throw new AvocetError("import/malformed", `expected ${expected} bytes of a variable, got ${size} at ${offset}`, {
        at: where,
      });
    }
    const source = this.#shard(entry.shard ?? 0, where);
    if (offset + expected > source.size) {
      throw new AvocetError(
        "import/truncated",
        `expected ${expected} bytes at offset ${offset}, ${source.name} has ${source.size}`,
        {
          at: where,
          hint: "the variables are damaged or were not copied completely",
        },
      );
    }
    return Tensor.lazy(dtype, shape, () => Tensor.fromBytes(dtype, shape, source.read(offset, expected)).data);
  }

  #shard(number: number, where: string): ByteSource {
    if (!(number >= 0 && number < this.#shards)) {
      throw new AvocetError(
        "import/malformed",
        `expected one of ${this.#shards} files of variables, got number ${number}`,
        { at: where },
      );
    }
    const spelled = (value: number) => String(value).padStart(5, "0");
    const known =
      this.#sources.get(number) ??
      this.#external(`${this.#prefix}.data-${spelled(number)}-of-${spelled(this.#shards)}`);
    this.#sources.set(number, known);
    return known;
  }
}
