/**
 * The header of a safetensors file: eight bytes of its length, JSON of names, element types, shapes and places, and then the
 * elements, little-endian, without holes (huggingface/safetensors, README, "Format").
 */
import { AvocetError, parseJson } from "../../base/inner.ts";
import { byteLength, type DType } from "../../tensor/inner.ts";
import type { ByteSource } from "../byte-source.ts";
import { limits } from "../limits.ts";

/** Where one tensor lies. */
export interface HeaderEntry {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** In the file, in bytes. */
  readonly offset: number;
  readonly length: number;
}

export interface Header {
  readonly entries: readonly HeaderEntry[];
  /** What `__metadata__` says, for example `format: "pt"`. */
  readonly metadata: ReadonlyMap<string, string>;
}

/** The format's names of element types. Those of six bits have none here. */
const dtypes: Readonly<Record<string, DType>> = {
  BOOL: "bool",
  F4: "float4e2m1",
  U8: "uint8",
  I8: "int8",
  F8_E5M2: "float8e5m2",
  F8_E4M3: "float8e4m3fn",
  F8_E8M0: "float8e8m0",
  F8_E4M3FNUZ: "float8e4m3fnuz",
  F8_E5M2FNUZ: "float8e5m2fnuz",
  I16: "int16",
  U16: "uint16",
  F16: "float16",
  BF16: "bfloat16",
  I32: "int32",
  U32: "uint32",
  F32: "float32",
  C64: "complex64",
  F64: "float64",
  I64: "int64",
  U64: "uint64",
};

/** Bytes of the number in front. */
const lengthBytes = 8;

/** Throws `import/truncated`, `import/malformed`, `import/too-large` and `import/unsupported-type`. */
export function readHeader(source: ByteSource): Header {
  const { name: file, size } = source;
  if (size < lengthBytes) throw truncated(file, lengthBytes, size);
  const start = source.read(0, lengthBytes);
  const length = Number(new DataView(start.buffer, start.byteOffset, lengthBytes).getBigUint64(0, true));
  if (length > limits.safetensorsHeaderBytes) {
    throw new AvocetError(
      "import/too-large",
      `expected a header of at most ${limits.safetensorsHeaderBytes} bytes, got ${length}`,
      { at: file },
    );
  }
  const dataAt = lengthBytes + length;
  if (dataAt > size) throw truncated(file, dataAt, size);
  const json = parseJson(textOf(source.read(lengthBytes, length), file), { at: file, code: "import/malformed" });
  if (!isRecord(json)) throw malformed("expected an object as the header of a safetensors file", file);
  const entries: HeaderEntry[] = [];
  for (const [name, entry] of Object.entries(json)) {
    if (name !== "__metadata__") entries.push(entryOf(name, entry, dataAt, file));
  }
  checkPlaces(entries, dataAt, size, file);
  return { entries, metadata: metadataOf(json.__metadata__, file) };
}

function entryOf(name: string, entry: unknown, dataAt: number, file: string): HeaderEntry {
  const at = `${file}, tensor ${JSON.stringify(name)}`;
  if (!isRecord(entry)) throw malformed("expected dtype, shape and data_offsets of a tensor", at);
  const { dtype: written, shape, data_offsets: places } = entry;
  const dtype = typeof written === "string" && Object.hasOwn(dtypes, written) ? dtypes[written]! : undefined;
  if (!dtype) {
    throw new AvocetError("import/unsupported-type", `expected a known element type, got ${shown(written)}`, { at });
  }
  if (!isWholes(shape) || shape.length > limits.rank) {
    throw malformed(`expected a shape of at most ${limits.rank} lengths, got ${shown(shape)}`, at);
  }
  const count = shape.reduce((product, length) => product * length, 1);
  const length = byteLength(dtype, count);
  if (!isWholes(places) || places.length !== 2 || !Number.isSafeInteger(count) || places[1]! - places[0]! !== length) {
    throw malformed(`expected two places that are ${length} bytes apart, got ${shown(places)}`, at);
  }
  if (length > limits.tensorBytes) {
    throw new AvocetError(
      "import/too-large",
      `expected a tensor of at most ${limits.tensorBytes} bytes, got ${length}`,
      { at },
    );
  }
  return { name, dtype, shape, offset: dataAt + places[0]!, length };
}

/** The format allows neither holes nor overlaps, so that a small file cannot stand for much memory. */
function checkPlaces(entries: readonly HeaderEntry[], dataAt: number, size: number, file: string): void {
  let end = dataAt;
  for (const { name, offset, length } of [...entries].sort((a, b) => a.offset - b.offset || a.length - b.length)) {
    if (offset !== end) {
      throw malformed(
        `expected tensors one behind the other, got ${JSON.stringify(name)} at byte ${offset - dataAt} instead of ${end - dataAt}`,
        file,
      );
    }
    end = offset + length;
  }
  if (end > size) throw truncated(file, end, size);
  if (end < size) throw malformed(`expected the file to end at byte ${end}, got ${size} bytes`, file);
}

function metadataOf(found: unknown, file: string): Map<string, string> {
  if (found === undefined) return new Map();
  if (!isRecord(found) || !Object.values(found).every((value) => typeof value === "string")) {
    throw malformed("expected texts as __metadata__", file);
  }
  return new Map(Object.entries(found as Record<string, string>));
}

function textOf(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new AvocetError("import/malformed", "expected UTF-8 as the header of a safetensors file", {
      at: file,
      cause,
    });
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isWholes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? "nothing").slice(0, 80);
}

function malformed(problem: string, at: string): AvocetError {
  return new AvocetError("import/malformed", problem, { at });
}

function truncated(file: string, expected: number, size: number): AvocetError {
  return new AvocetError("import/truncated", `expected ${expected} bytes, the file has ${size}`, {
    at: file,
    hint: "the file is damaged or was not copied completely",
  });
}
