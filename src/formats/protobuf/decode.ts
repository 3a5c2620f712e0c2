/** Bytes → message, walking the field tables. Lengths are checked, nothing large is copied, limits are kept. */
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { AvocetError } from "../../base/inner.ts";
import type { Whole } from "../../ir/inner.ts";
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

/** What one file may still cost, its name, and with its article what it should be, for messages. */
export class Decoding {
  readonly file: string;
  readonly what: string;
  #left: number = limits.decodedUnits;

  constructor(file: string, what = "an ONNX model") {
    this.file = file;
    this.what = what;
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
}

/** Decodes one message. Throws `import/truncated` where the file ends early and `import/malformed` for other damage. */
export function decode<T extends object>(type: MessageType<T>, bytes: Uint8Array, decoding: Decoding, depth = 0): T {
  return decodeInto(type, {}, new Input(bytes, decoding), bytes.length, depth) as T;
}

/** One reader serves all messages of a file; each knows where it ends. */
class Input {
  readonly bytes: Uint8Array;
  readonly reader: BinaryReader;
  readonly decoding: Decoding;

  constructor(bytes: Uint8Array, decoding: Decoding) {
    this.bytes = bytes;
    this.reader = new BinaryReader(bytes);
    this.decoding = decoding;
  }

  /** Where the field with a length that comes next ends. */
  fieldEnd(end: number): number {
    const length = this.reader.uint32();
    const fieldEnd = this.reader.pos + length;
    if (fieldEnd > end) throw new RangeError("premature EOF");
    return fieldEnd;
  }

  take(end: number): Uint8Array {
    const start = this.reader.pos;
    this.reader.pos = end;
    return this.bytes.subarray(start, end);
  }
}

/** Several parts of one field that have to be copied together, by key. */
type Runs = Map<string, BinaryWriter>;

function decodeInto(type: MessageType<object>, target: Fields, input: Input, end: number, depth: number): Fields {
  const { reader, decoding } = input;
  if (depth > limits.messageDepth) {
    throw new AvocetError("import/malformed", `expected at most ${limits.messageDepth} nested messages, got more`, {
      at: decoding.file,
    });
  }
  decoding.spend(limits.messageCost);
  for (const key of type.lists) target[key] ??= none;
  let runs: Runs | undefined;
  try {
    while (reader.pos < end) {
      const start = reader.pos;
      const [no, wire] = reader.tag();
      const row = type.rows.get(no);
      if (row) runs = readField(row, wire, input, end, target, runs, depth);
      else {
        reader.skip(wire, no);
        runs = append(target, runs, "unknown", input.bytes.subarray(start, reader.pos));
      }
      if (reader.pos > end) throw new RangeError("premature EOF");
    }
  } catch (error) {
    throw damaged(error, type, reader.pos, decoding, depth);
  }
  if (runs) for (const [key, run] of runs) target[key] = run.finish();
  return target;
}

/** Reads one field into `target`; returns the runs, which most messages do not have. */
function readField(
  row: Row,
  wire: WireType,
  input: Input,
  end: number,
  target: Fields,
  runs: Runs | undefined,
  depth: number,
): Runs | undefined {
  const { reader, decoding } = input;
  const { key, kind, repeated } = row;
  if (typeof kind === "function") {
    expectWire(row, wire, WireType.LengthDelimited);
    const fieldEnd = input.fieldEnd(end);
    // Protobuf merges a message field that appears twice.
    const before = repeated ? {} : ((target[key] as Fields | undefined) ?? {});
    const made = decodeInto(kind(), before, input, fieldEnd, depth + 1);
    if (repeated) listOf(target, key).push(made);
    else target[key] = made;
    return runs;
  }
  const natural = wireTypes[kind];
  const run = wire === WireType.LengthDelimited && natural !== wire;
  if (!run) expectWire(row, wire, natural);
  if (kind === "packed-varint" || kind === "packed-32" || kind === "packed-64") {
    return append(target, runs, key, run ? input.take(input.fieldEnd(end)) : reader.skip(wire));
  }
  if (!repeated) {
    if (run) throw new Error(`field ${key} has a list, expected one value`);
    target[key] = readScalar(kind, input, end);
    return runs;
  }
  const list = listOf(target, key);
  if (!run) {
    decoding.spend(kind === "string" || kind === "bytes" ? limits.textCost : 1);
    list.push(readScalar(kind, input, end));
    return runs;
  }
  const runEnd = input.fieldEnd(end);
  while (reader.pos < runEnd) {
    decoding.spend(1);
    list.push(readScalar(kind, input, runEnd));
  }
  if (reader.pos > runEnd) throw new RangeError("premature EOF");
  return runs;
}

function listOf(target: Fields, key: string): unknown[] {
  if (target[key] === none) target[key] = [];
  return target[key] as unknown[];
}

/** The common case is one part, which stays a view; several are copied together, however many there are. */
function append(target: Fields, runs: Runs | undefined, key: string, part: Uint8Array): Runs | undefined {
  if (target[key] === undefined) {
    target[key] = part;
    return runs;
  }
  const some = runs ?? new Map<string, BinaryWriter>();
  let run = some.get(key);
  if (!run) {
    run = new BinaryWriter().raw(target[key] as Uint8Array);
    some.set(key, run);
  }
  run.raw(part);
  return some;
}

function readScalar(kind: "int64" | "int32" | "float" | "string" | "bytes", input: Input, end: number): unknown {
  const { reader } = input;
  switch (kind) {
    case "int64":
      return whole(reader.int64());
    case "int32":
      return reader.int32();
    case "float":
      return reader.float();
    case "string": {
      const start = reader.pos;
      const length = input.fieldEnd(end) - reader.pos;
      if (length > limits.textBytes) throw new Error(`a text of ${length} bytes, expected at most ${limits.textBytes}`);
      reader.pos = start;
      return reader.string();
    }
    case "bytes":
      return input.take(input.fieldEnd(end));
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
    hint: `the file is damaged, or not ${decoding.what}`,
    cause: error,
  });
}
