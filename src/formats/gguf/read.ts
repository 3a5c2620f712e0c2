/**
 * GGUF: a magic word, version, counts, values by key, the table of tensors, then their bytes, each aligned (ggml-org/ggml,
 * docs/gguf.md). Tensors in blocks become float32 when they are looked at.
 */
import { AvocetError, ByteReader } from "../../base/inner.ts";
import { byteLength, type DType, Tensor } from "../../tensor/inner.ts";
import { type ByteSource, plainBytes } from "../byte-source.ts";
import { limits } from "../limits.ts";
import type { Weights } from "../weights.ts";
import { blockFormats, decodeBlocks } from "./blocks.ts";
import { GgufMetadata, readName } from "./metadata.ts";

export interface Gguf extends Weights {
  /** Hyperparameters, vocabulary, chat template, under the format's keys ("llama.block_count"). */
  readonly values: GgufMetadata;
  /** The type of each tensor in the file: "Q4_1", "float16". */
  readonly stored: ReadonlyMap<string, string>;
}

/** Types that are no blocks, by the number of `ggml_type`. */
const plainTypes: ReadonlyMap<number, DType> = new Map<number, DType>([
  [0, "float32"],
  [1, "float16"],
  [24, "int8"],
  [25, "int16"],
  [26, "int32"],
  [27, "int64"],
  [28, "float64"],
  [30, "bfloat16"],
]);

/** Dimensions that ggml has. */
const mostDimensions = 4;
/** What the header is tried with first: enough for most vocabularies. */
const firstRead = 4 * 2 ** 20;

export function isGguf(start: Uint8Array): boolean {
  return start[0] === 0x47 && start[1] === 0x47 && start[2] === 0x55 && start[3] === 0x46;
}

/**
 * Throws `import/truncated`, `import/malformed`, `import/too-large`, and `import/unsupported-type` for block formats that are not among
 * `blockFormats` (the IQ formats).
 */
export function readGguf(source: ByteSource): Gguf {
  const { name: file } = source;
  const { values, table, dataAt, alignment } = headerOf(source);
  const tensors = new Map<string, Tensor>();
  const stored = new Map<string, string>();
  for (const place of table) {
    const at = placeIn(file, place.name);
    if (tensors.has(place.name)) throw malformed("expected every tensor once, got this one twice", at);
    if (place.offset % alignment !== 0) {
      throw malformed(`expected an offset that is a multiple of ${alignment}, got ${place.offset}`, at);
    }
    const kind = kindOf(place, file);
    const start = dataAt + place.offset;
    if (start + kind.bytes > source.size) {
      throw new AvocetError(
        "import/truncated",
        `expected ${kind.bytes} bytes at offset ${start}, the file has ${source.size}`,
        { at, hint: "the file is damaged or was not copied completely" },
      );
    }
    const load = () => kind.decode(plainBytes(source.read(start, kind.bytes)));
    tensors.set(place.name, Tensor.lazy(kind.dtype, place.shape, load));
    stored.set(place.name, kind.name);
  }
  return { tensors, metadata: new Map(textsOf(values)), values, stored };
}

/** The header does not say how long it is: as long as its end lies beyond what was read, more is. */
function headerOf(source: ByteSource): Header {
  const most = Math.min(source.size, limits.ggufHeaderBytes);
  for (let length = Math.min(firstRead, most); ; length = Math.min(length * 4, most)) {
    try {
      return readHeader(new ByteReader(plainBytes(source.read(0, length)), source.name), source.name);
    } catch (error) {
      if (!AvocetError.is(error) || error.code !== "import/truncated" || length === source.size) throw error;
      if (length < most) continue;
      throw new AvocetError("import/too-large", `expected a header of at most ${most} bytes, got more`, {
        at: source.name,
      });
    }
  }
}

interface Header {
  readonly values: GgufMetadata;
  readonly table: readonly TensorPlace[];
  readonly dataAt: number;
  readonly alignment: number;
}

function readHeader(reader: ByteReader, file: string): Header {
  if (!isGguf(reader.take(4))) throw malformed("expected a GGUF file, got other first bytes", file);
  const version = reader.u32();
  if (version !== 2 && version !== 3) {
    throw malformed(`expected version 2 or 3 of GGUF, little-endian, got ${version}`, file);
  }
  const [tensorCount, valueCount] = [Number(reader.u64()), Number(reader.u64())];
  const values = new GgufMetadata(file);
  for (let i = 0; i < valueCount; i++) values.read(reader);
  const alignment = values.number("general.alignment") ?? 32;
  if (!Number.isSafeInteger(alignment) || alignment < 1) {
    throw malformed(`expected a whole alignment, got ${alignment}`, file);
  }
  const table: TensorPlace[] = [];
  for (let i = 0; i < tensorCount; i++) table.push(readPlace(reader, file));
  return { values, table, dataAt: Math.ceil(reader.offset / alignment) * alignment, alignment };
}

interface TensorPlace {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: number;
  /** Behind the start of all data. */
  readonly offset: number;
}

function readPlace(reader: ByteReader, file: string): TensorPlace {
  const name = readName(reader, file);
  const rank = reader.u32();
  if (rank > mostDimensions) {
    throw malformed(`expected at most ${mostDimensions} dimensions, got ${rank}`, placeIn(file, name));
  }
  const lengths: number[] = [];
  for (let i = 0; i < rank; i++) lengths.push(Number(reader.u64()));
  // ggml counts from the innermost dimension outwards.
  const shape = lengths.reverse();
  return { name, shape, type: reader.u32(), offset: Number(reader.u64()) };
}

/** Element type here, bytes in the file, and the way from one to the other. */
function kindOf({ name, shape, type }: TensorPlace, file: string) {
  const at = placeIn(file, name);
  const count = shape.reduce((product, length) => product * length, 1);
  const plain = plainTypes.get(type);
  const blocks = blockFormats.get(type);
  const dtype = plain ?? "float32";
  if (!plain && !blocks) {
    throw new AvocetError("import/unsupported-type", `expected a known tensor type, got number ${type} of ggml`, {
      at,
      hint: "read are F32, F16, BF16, F64, whole numbers, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 and Q2_K to Q6_K",
    });
  }
  if (!Number.isSafeInteger(count)) throw malformed(`expected a shape, got [${shape.join(",")}]`, at);
  if (blocks && (shape.at(-1) ?? 1) % blocks.elements !== 0) {
    throw malformed(`expected rows in blocks of ${blocks.elements} for ${blocks.name}, got [${shape.join(",")}]`, at);
  }
  if (byteLength(dtype, count) > limits.tensorBytes) {
    throw new AvocetError(
      "import/too-large",
      `expected a tensor of at most ${limits.tensorBytes} bytes, got ${byteLength(dtype, count)}`,
      { at },
    );
  }
  return {
    name: blocks?.name ?? dtype,
    dtype,
    bytes: blocks ? (count / blocks.elements) * blocks.bytes : byteLength(dtype, count),
    decode: (from: Uint8Array) =>
      blocks ? decodeBlocks(blocks, from, count) : Tensor.fromBytes(dtype, shape, from).data,
  };
}

function* textsOf(values: GgufMetadata): Iterable<readonly [string, string]> {
  for (const [key, value] of values.entries()) yield [key, String(value)];
}

function placeIn(file: string, tensor: string): string {
  return `${file}, tensor ${JSON.stringify(tensor)}`;
}

function malformed(problem: string, at: string): AvocetError {
  return new AvocetError("import/malformed", problem, { at });
}
