/** Bytes → message, walking the field tables. Lengths are checked, nothing large is copied, limits are kept. */
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { AvocetError } from "../../base/index.ts";
import type { Whole } from "../../ir/index.ts";
import { limits } from "../limits.ts";
import type { MessageType, Row, Scalar } from "./wire-types.ts";

type Fields = Record<string, unknown>;

/** Stands for every list without elements, so that small messages stay small. */
const none: readonly never[] = Object.freeze([]);

const wireTypes: { readonly [S in Scalar]: WireType } = {
  int64: WireType.Varint,
  int32: WireType.Varint,
  float: WireType.Bit32,
  string: WireType.LengthDelimited,
  bytes: WireType.LengthDelimited,
  "packed-varint": WireType.Varint,
  "packed-32": WireType.Bit32,
  "packed-64": WireType.Bit64,
};

/** What one file may still cost, and its name for messages. */
export class Decoding {
  readonly file: string;
  readonly #start: number;
  #left: number = limits.decodedUnits;

  constructor(file: string, bytes: Uint8Array) {
    this.file = file;
    this.#start = bytes.byteOffset;
  }

  spend(units: number): void {
    this.#left -= units;
    if (this.#left < 0) {
      throw new AvocetError(
        "import/too-large",
        `expected at most ${limits.decodedUnits} decoded units, the file holds more`,
        { at: this.file, hint: "the file is damaged, or larger than any model this reader was made for" },
      );
    }
  }

  /** The byte of the file that this position of a view is. */
  offsetOf(view: Uint8Array, position: number): number {
    return view.byteOffset - this.#start + Math.min(position, view.length);
  }
}

/** Decodes one message. Throws `import/truncated` where the file ends early and `import/malformed` for other damage. */
export function decode<T extends object>(type: MessageType<T>, bytes: Uint8Array, decoding: Decoding, depth = 0): T {
  return decodeInto(type, {}, bytes, decoding, depth) as T;
}

function decodeInto(
  type: MessageType<object>,
  target: Fields,
  bytes: Uint8Array,
  decoding: Decoding,
  depth: number,
): Fields {
  if (depth > limits.messageDepth) {
    throw new AvocetError("import/malformed", `expected at most ${limits.messageDepth} nested messages, got more`, {
      at: decoding.file,
    });
  }
  decoding.spend(limits.messageCost);
  for (const row of type.rows.values()) if (row.repeated) target[row.key] ??= none;
  const reader = new BinaryReader(bytes);
  const runs = new Map<string, BinaryWriter>();
  try {
    while (reader.pos < reader.len) {
      const start = reader.pos;
      const [no, wire] = reader.tag();
      const row = type.rows.get(no);
      if (row) readField(row, wire, reader, target, runs, decoding, depth);
      else {
        reader.skip(wire, no);
        append(target, runs, "unknown", bytes.subarray(start, reader.pos));
      }
    }
  } catch (error) {
    throw damaged(error, type, decoding.offsetOf(bytes, reader.pos), decoding, depth);
  }
  for (const [key, run] of runs) target[key] = run.finish();
  return target;
}

function readField(
  row: Row,
  wire: WireType,
  reader: BinaryReader,
  target: Fields,
  runs: Map<string, BinaryWriter>,
  decoding: Decoding,
  depth: number,
): void {
  const { key, kind, repeated } = row;
  if (typeof kind === "function") {
    expectWire(row, wire, WireType.LengthDelimited);
    const bytes = reader.bytes();
    const made = kind();
    // Protobuf merges a message field that appears twice.
    if (repeated) listOf(target, key).push(decodeInto(made, {}, bytes, decoding, depth + 1));
    else target[key] = decodeInto(made, (target[key] as Fields | undefined) ?? {}, bytes, decoding, depth + 1);
    return;
  }
  const natural = wireTypes[kind];
  const run = wire === WireType.LengthDelimited && natural !== wire;
  if (!run) expectWire(row, wire, natural);
  if (kind === "packed-varint" || kind === "packed-32" || kind === "packed-64") {
    append(target, runs, key, run ? reader.bytes() : reader.skip(wire));
    return;
  }
  if (!repeated) {
    if (run) throw new Error(`field ${key} has a list, expected one value`);
    target[key] = readScalar(kind, reader);
    return;
  }
  const list = listOf(target, key);
  if (!run) {
    decoding.spend(kind === "string" || kind === "bytes" ? limits.textCost : 1);
    list.push(readScalar(kind, reader));
    return;
  }
  const inner = new BinaryReader(reader.bytes());
  while (inner.pos < inner.len) {
    decoding.spend(1);
    list.push(readScalar(kind, inner));
  }
  if (inner.pos > inner.len) throw new RangeError("premature EOF");
}

function listOf(target: Fields, key: string): unknown[] {
  if (target[key] === none) target[key] = [];
  return target[key] as unknown[];
}

/** The common case is one part, which stays a view; several are copied together, however many there are. */
function append(target: Fields, runs: Map<string, BinaryWriter>, key: string, part: Uint8Array): void {
  if (target[key] === undefined) {
    target[key] = part;
    return;
  }
  let run = runs.get(key);
  if (!run) {
    run = new BinaryWriter().raw(target[key] as Uint8Array);
    runs.set(key, run);
  }
  run.raw(part);
}

function readScalar(kind: "int64" | "int32" | "float" | "string" | "bytes", reader: BinaryReader): unknown {
  switch (kind) {
    case "int64":
      return whole(reader.int64());
    case "int32":
      return reader.int32();
    case "float":
      return reader.float();
    case "string": {
      const start = reader.pos;
      const length = reader.uint32();
      if (length > limits.textBytes) throw new Error(`a text of ${length} bytes, expected at most ${limits.textBytes}`);
      reader.pos = start;
      return reader.string();
    }
    case "bytes":
      return reader.bytes();
    default:
      return kind satisfies never;
  }
}

function whole(value: bigint | string): Whole {
  const near = Number(value);
  return Number.isSafeInteger(near) ? near : BigInt(value);
}

function expectWire(row: Row, wire: WireType, expected: WireType): void {
  if (wire !== expected) throw new Error(`field ${row.key} has wire type ${wire}, expected ${expected}`);
}

/** The wire library throws plain errors; a TypeError is a bug of ours and passes. */
function damaged(
  error: unknown,
  type: MessageType<object>,
  offset: number,
  decoding: Decoding,
  depth: number,
): unknown {
  if (AvocetError.is(error) || error instanceof TypeError || !(error instanceof Error)) return error;
  const ended = error instanceof RangeError;
  if (ended && depth === 0) {
    return new AvocetError("import/truncated", `expected more bytes of ${type.name}, the file ends`, {
      at: decoding.file,
      hint: "the file is damaged or was not copied completely",
      cause: error,
    });
  }
  const problem = ended ? "a field is longer than the message around it" : error.message;
  return new AvocetError("import/malformed", `expected a ${type.name}, got damaged bytes near ${offset}: ${problem}`, {
    at: decoding.file,
    hint: "the file is damaged, or not an ONNX model",
    cause: error,
  });
}
