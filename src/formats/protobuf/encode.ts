/**
 * Message → bytes, walking the field tables. Sizes are computed first, then everything is written once, in order, to a
 * sink: large tensors pass through as they are, so a file of any size needs no second copy in memory.
 */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { invariant } from "../../base/inner.ts";
import type { Whole } from "../../ir/inner.ts";
import type { MessageType, Payload, Row } from "./wire-types.ts";

type Fields = Readonly<Record<string, unknown>>;
export type Sink = (chunk: Uint8Array) => void;

/** Smaller byte fields are copied among their neighbours; larger ones are handed on without a copy. */
const HANDED_ON = 4096;

/** A message ready to be written: how long it will be, and the writing. */
export interface Encoded {
  readonly byteLength: number;
  writeTo(sink: Sink): void;
}

/** Measures a message; `writeTo` may be called any number of times. The message must not change in between. */
export function encode<T extends object>(type: MessageType<T>, value: T): Encoded {
  const sizes: number[] = [];
  const byteLength = sizeOfMessage(type, value as Fields, sizes);
  return {
    byteLength,
    writeTo(sink) {
      const writer = new BinaryWriter();
      let total = 0;
      const send = (chunk: Uint8Array) => {
        total += chunk.length;
        sink(chunk);
      };
      const flush = () => {
        const bytes = writer.finish();
        if (bytes.length > 0) send(bytes);
      };
      const hand = (payload: Payload | Uint8Array) => {
        flush();
        let sent = 0;
        for (const chunk of chunksOf(payload)) {
          sent += chunk.length;
          send(chunk);
        }
        invariant(sent === payload.length, `expected ${payload.length} bytes of a payload, got ${sent}`);
      };
      writeMessage(type, value as Fields, { sizes, next: 1, writer, hand });
      flush();
      invariant(total === byteLength, `measured ${byteLength} bytes of ${type.name}, wrote ${total}`);
    },
  };
}

/** The whole message in one buffer. */
export function bytesOf(encoded: Encoded): Uint8Array {
  const bytes = new Uint8Array(encoded.byteLength);
  let at = 0;
  encoded.writeTo((chunk) => {
    bytes.set(chunk, at);
    at += chunk.length;
  });
  return bytes;
}

interface Out {
  /** The sizes of all messages, in the order in which they are written. */
  readonly sizes: readonly number[];
  /** Which size is the next message's; the outermost message's is not written. */
  next: number;
  readonly writer: BinaryWriter;
  readonly hand: (payload: Payload | Uint8Array) => void;
}

function writeMessage(type: MessageType<object>, value: Fields, out: Out): void {
  for (const row of type.list) {
    const field = value[row.key];
    if (field === undefined) continue;
    if (row.repeated) for (const one of field as readonly unknown[]) writeField(row, one, out);
    else writeField(row, field, out);
  }
  if (value.unknown) writeBytes(value.unknown as Uint8Array, out);
}

function writeField(row: Row, value: unknown, out: Out): void {
  const { kind, no } = row;
  if (typeof kind === "function") {
    out.writer.tag(no, WireType.LengthDelimited).uint32(out.sizes[out.next++]!);
    writeMessage(kind(), value as Fields, out);
    return;
  }
  switch (kind) {
    case "int64":
      out.writer.tag(no, WireType.Varint).int64(value as Whole);
      return;
    case "int32":
      out.writer.tag(no, WireType.Varint).int32(value as number);
      return;
    case "float":
      // A double beyond the float range becomes infinity, as in C++.
      out.writer.tag(no, WireType.Bit32).float(Math.fround(value as number));
      return;
    case "string":
      out.writer.tag(no, WireType.LengthDelimited).string(value as string);
      return;
    default:
      out.writer.tag(no, WireType.LengthDelimited).uint32((value as Payload).length);
      writeBytes(value as Payload | Uint8Array, out);
  }
}

function writeBytes(value: Payload | Uint8Array, out: Out): void {
  if (value.length >= HANDED_ON) out.hand(value);
  else for (const chunk of chunksOf(value)) out.writer.raw(chunk);
}

function chunksOf(value: Payload | Uint8Array): Iterable<Uint8Array> {
  return value instanceof Uint8Array ? [value] : value.chunks();
}

function sizeOfMessage(type: MessageType<object>, value: Fields, sizes: number[]): number {
  const slot = sizes.push(0) - 1;
  let size = (value.unknown as Uint8Array | undefined)?.length ?? 0;
  for (const row of type.list) {
    const field = value[row.key];
    if (field === undefined) continue;
    if (row.repeated) for (const one of field as readonly unknown[]) size += sizeOfField(row, one, sizes);
    else size += sizeOfField(row, field, sizes);
  }
  sizes[slot] = size;
  return size;
}

function sizeOfField(row: Row, value: unknown, sizes: number[]): number {
  const { kind, no } = row;
  const tag = varintSize(no << 3);
  if (typeof kind === "function") {
    const length = sizeOfMessage(kind(), value as Fields, sizes);
    return tag + varintSize(length) + length;
  }
  switch (kind) {
    case "int64":
    case "int32":
      return tag + int64Size(value as Whole);
    case "float":
      return tag + 4;
    case "string": {
      const length = utf8Size(value as string);
      return tag + varintSize(length) + length;
    }
    default: {
      const { length } = value as Payload;
      return tag + varintSize(length) + length;
    }
  }
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++;
  return size;
}

function int64Size(value: Whole): number {
  if (value < 0) return 10;
  if (typeof value === "number") return varintSize(value);
  let size = 1;
  for (let rest = value; rest >= 128n; rest >>= 7n) size++;
  return size;
}

/** Bytes of a string in UTF-8; a lone surrogate becomes U+FFFD, three bytes, as TextEncoder writes it. */
function utf8Size(text: string): number {
  let size = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) size += 1;
    else if (unit >= 0xd800 && unit < 0xdc00 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      // A pair: two units, four bytes.
      size += 2;
      i++;
    } else size += 2;
  }
  return size;
}
