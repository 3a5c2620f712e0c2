/**
 * A large file without the bytes of its weights: they become external data of that very file, so that they are read when someone looks at
 * them, as those of other files are. Reading it whole would hold all of them next to what the runtime makes of them.
 */
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { ByteSource } from "../byte-source.ts";
import { bytesOf, encode } from "../protobuf/encode.ts";
import type { MessageType } from "../protobuf/wire-types.ts";
import type { SourceFile } from "../source-format.ts";
import type { ExternalData } from "./context.ts";
import { entriesOf } from "./entries.ts";
import { graphType, modelType, tensorProtoType } from "./schema.ts";

/** Where such weights say that they lie. No path has a zero in it, so no other file is meant. */
const ownFile = "\0";

/** Smaller weights stay where they are: opening the file for each would cost more than they take. */
const least = 2 ** 16;

/** Undefined where the file is damaged: whoever reads all of it tells what. */
export function withoutWeights(source: ByteSource, external: ExternalData): SourceFile | undefined {
  try {
    const bytes = joined([...model(new Scan(source))]);
    return { name: source.name, bytes, external: (at) => (at === ownFile ? source : external(at)) };
  } catch (error) {
    if (error instanceof Unclear) return undefined;
    throw error;
  }
}

function* model(file: Scan): Iterable<Uint8Array> {
  const graph = numberOf(modelType, "graph");
  for (const field of fieldsOf(file, 0, file.size)) {
    if (field.no === graph && field.hasLength) yield* withLength(graph, [...graphWithout(file, field)]);
    else yield file.read(field.start, field.end);
  }
}

function* graphWithout(file: Scan, graph: Field): Iterable<Uint8Array> {
  const initializer = numberOf(graphType, "initializer");
  for (const field of fieldsOf(file, graph.content, graph.end)) {
    const outside = field.no === initializer && field.end - field.content >= least ? tensorWithout(file, field) : null;
    if (outside) yield* withLength(initializer, outside);
    else yield file.read(field.start, field.end);
  }
}

/** All fields but the data, and behind them where it lies; null for what has no data here. */
function tensorWithout(file: Scan, tensor: Field): Uint8Array[] | null {
  const [rawData, externalData, location] = (["rawData", "externalData", "dataLocation"] as const).map((key) =>
    numberOf(tensorProtoType, key),
  );
  const fields = [...fieldsOf(file, tensor.content, tensor.end)];
  const data = fields.filter(({ no }) => no === rawData);
  const [raw] = data;
  if (!raw || data.length > 1 || raw.end - raw.content < least) return null;
  if (fields.some(({ no }) => no === externalData || no === location)) return null;
  const entries = new Map([
    ["location", ownFile],
    ["offset", `${raw.content}`],
    ["length", `${raw.end - raw.content}`],
  ]);
  const place = { dims: [], stringData: [], metadata: [], externalData: entriesOf(entries), dataLocation: 1 };
  return [
    ...fields.filter((field) => field !== raw).map(({ start, end }) => file.read(start, end)),
    bytesOf(encode(tensorProtoType, place)),
  ];
}

interface Field {
  readonly no: number;
  /** Messages, texts and bytes have one; a number in their place has no content to look into. */
  readonly hasLength: boolean;
  /** Of the tag. */
  readonly start: number;
  readonly content: number;
  readonly end: number;
}

class Unclear extends Error {}

/** The fields of a message with lengths of their own. */
function* fieldsOf(file: Scan, from: number, to: number): Iterable<Field> {
  for (let start = from; start < to; ) {
    const field = fieldAt(file, start, to);
    yield field;
    start = field.end;
  }
}

function fieldAt(file: Scan, start: number, to: number): Field {
  const bytes = file.read(start, Math.min(to, start + 20));
  const reader = new BinaryReader(bytes);
  try {
    const [no, wire] = reader.tag();
    if (wire !== WireType.LengthDelimited) {
      reader.skip(wire, no);
      return { no, hasLength: false, start, content: start + reader.pos, end: start + reader.pos };
    }
    const length = reader.uint32();
    const content = start + reader.pos;
    if (content + length <= to) return { no, hasLength: true, start, content, end: content + length };
  } catch {
    // What the reader cannot read here is told by the one who reads the whole file.
  }
  throw new Unclear();
}

const numberOf = <T extends object>(type: MessageType<T>, key: keyof T): number =>
  type.list.find((row) => row.key === key)!.no;

function* withLength(no: number, content: readonly Uint8Array[]): Iterable<Uint8Array> {
  const length = content.reduce((sum, { length }) => sum + length, 0);
  yield new BinaryWriter().tag(no, WireType.LengthDelimited).uint32(length).finish();
  yield* content;
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** A file that is read a stretch at a time: nodes are small and many. */
class Scan {
  readonly size: number;
  readonly #source: ByteSource;
  #stretch: Uint8Array = new Uint8Array();
  #at = 0;

  constructor(source: ByteSource) {
    this.#source = source;
    this.size = source.size;
  }

  read(start: number, end: number): Uint8Array {
    if (start < this.#at || end > this.#at + this.#stretch.length) {
      this.#stretch = this.#source.read(start, Math.min(Math.max(end - start, 2 ** 20), this.size - start));
      this.#at = start;
    }
    return this.#stretch.subarray(start - this.#at, end - this.#at);
  }
}
