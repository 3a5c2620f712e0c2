/** Attributes in ONNX text: `axis = 1`, `alpha: float = 1`, `value = int64[2] {1, 2}`, `body = g (…) => (…) {…}`. */
import type { DType, Shape, Tensor } from "../../tensor/inner.ts";
import type { Whole } from "../attribute.ts";
import type { ValueType } from "../types.ts";
import { readElements, readFloat, spelled } from "./literal.ts";
import { atType, readType } from "./read-type.ts";
import type { NumberToken, Scanner } from "./scanner.ts";
import type { AttributeTree, GraphTree } from "./tree.ts";
import { kindOfWord, listOf, type SingleKind, type ValueKind } from "./words.ts";

/** What the reader of attributes needs from the reader of graphs. */
export interface AttributeReader {
  readonly scanner: Scanner;
  /** Data for `{...}`; throws where there is none. */
  elided(name: string, dtype: DType, shape: Shape, offset: number): Tensor;
  graph(name: string): GraphTree;
}

type Single = Extract<AttributeTree, { type: SingleKind }>;

/** Everything after the name of the attribute. */
export function readAttribute(reader: AttributeReader, name: string): AttributeTree {
  const { scanner } = reader;
  const kind = scanner.take(":") ? readKind(scanner) : undefined;
  scanner.expect("=");
  const start = scanner.offset;
  if (scanner.take("@")) {
    return { type: "reference", value: scanner.name("the name of an attribute"), of: kind, offset: start };
  }
  if (scanner.take("[")) return readList(reader, name, kind, start);
  const expected = singleOf(kind);
  if (kind && expected !== kind) throw scanner.fail(`a list of ${kind}`, undefined, start);
  return readSingle(reader, name, expected);
}

function readKind(scanner: Scanner): ValueKind {
  const start = scanner.offset;
  const word = scanner.identifier();
  const kind = kindOfWord.get(word);
  if (!kind) {
    const known = [...kindOfWord.keys()].join(", ");
    throw scanner.fail("the type of an attribute", `the types are ${known}`, start);
  }
  return kind;
}

/** floats → float; what is no list stays. */
function singleOf(kind: ValueKind | undefined): SingleKind | undefined {
  if (kind === undefined || kind in listOf) return kind as SingleKind | undefined;
  return (Object.keys(listOf) as SingleKind[]).find((single) => listOf[single] === kind);
}

function readList(reader: AttributeReader, name: string, kind: ValueKind | undefined, start: number): AttributeTree {
  const { scanner } = reader;
  if (kind && kind in listOf) throw scanner.fail(`one ${kind}`, undefined, start);
  if (scanner.take("]")) {
    if (kind) return { type: kind, value: [] } as AttributeTree;
    throw scanner.error("an empty list needs a type", start, `write ${name}: ints = []`);
  }
  const items: Single["value"][] = [];
  let single = singleOf(kind);
  do {
    const item = readSingle(reader, name, single);
    single = item.type;
    items.push(item.value);
  } while (scanner.take(","));
  scanner.expect("]");
  return { type: listOf[single], value: items } as AttributeTree;
}

function readSingle(reader: AttributeReader, name: string, expected: SingleKind | undefined): Single {
  const { scanner } = reader;
  const start = scanner.offset;
  const found = readAny(reader, name, expected);
  if (expected && found.type !== expected) throw scanner.fail(`a value of type ${expected}`, undefined, start);
  return found;
}

function readAny(reader: AttributeReader, name: string, expected: SingleKind | undefined): Single {
  const { scanner } = reader;
  if (scanner.peek() === '"') {
    const value = scanner.string();
    return scanner.peek() === "(" ? { type: "graph", value: reader.graph(value) } : { type: "string", value };
  }
  const start = scanner.offset;
  const token = scanner.number();
  if (token) return readNumber(scanner, token, start, expected);
  if (atType(scanner)) return readTyped(reader, name);
  const word = scanner.identifier();
  if (!word) throw scanner.fail("the value of an attribute");
  if (word === "bytes" && scanner.peek() === '"') return { type: "string", value: readBytes(scanner) };
  return { type: "graph", value: reader.graph(word) };
}

function readNumber(scanner: Scanner, token: NumberToken, start: number, expected: SingleKind | undefined): Single {
  if (!token.whole || expected === "float") return { type: "float", value: readFloat(scanner, token, start, true) };
  const exact = BigInt(token.text);
  if (BigInt.asIntN(64, exact) !== exact) throw scanner.fail("a whole number of 64 bits", undefined, start);
  const value: Whole = Number.isSafeInteger(Number(exact)) ? Number(exact) : exact;
  return { type: "int", value };
}

/** A type, or a tensor: a type followed by a name (which is not kept) or by data. */
function readTyped(reader: AttributeReader, name: string): Single {
  const { scanner } = reader;
  const start = scanner.offset;
  const type = readType(scanner);
  const isTensor = /^[{="]$/.test(scanner.peek()) || scanner.peekIdentifier() !== "";
  if (!isTensor) return { type: "type", value: type };
  if (!/^[{=]$/.test(scanner.peek())) scanner.name("the name of a tensor");
  scanner.take("=");
  return { type: "tensor", value: readTensor(reader, name, type, start) };
}

/** The data of a tensor whose type was read: `{1, 2}`, or `{...}` where it was left out. */
export function readTensor(reader: AttributeReader, name: string, type: ValueType, start: number): Tensor {
  const { scanner } = reader;
  const shape = type.kind === "tensor" ? type.shape : null;
  if (type.kind !== "tensor" || !shape?.every((dim) => typeof dim === "number" && dim >= 0)) {
    throw scanner.error("expected a tensor type with known lengths before data", start);
  }
  if (scanner.peek() === "[") {
    throw scanner.error("external data is not supported in text", scanner.offset, "write the elements between braces");
  }
  const open = scanner.offset;
  scanner.expect("{");
  if (!scanner.take("...")) return readElements(scanner, type.dtype, shape as Shape);
  scanner.expect("}");
  return reader.elided(name, type.dtype, shape as Shape, open);
}

/** The error for data that is not there. */
export function withoutData(scanner: Scanner, name: string, dtype: DType, shape: Shape, offset: number, why = "") {
  const problem = `expected data for ${spelled(dtype, shape)} ${name}${why ? `: ${why}` : ""}`;
  return scanner.error(problem, offset, "give the elements between braces, or a seed: parseModel(text, { seed: 1 })");
}

/** Our own spelling of a string that is not UTF-8: bytes "c3ff" in hexadecimal. */
function readBytes(scanner: Scanner): Uint8Array {
  const start = scanner.offset;
  const digits = scanner.string();
  if (!/^([0-9a-f]{2})*$/i.test(digits)) throw scanner.fail("pairs of hexadecimal digits", undefined, start);
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
