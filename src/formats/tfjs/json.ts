/** TensorFlow's messages in the JSON form of protobuf: numbers of 64 bits are texts, bytes are base64, types have names. */
import { AvocetError } from "../../base/inner.ts";
import type { Whole } from "../../ir/inner.ts";
import type {
  ArgProto,
  AttrEntry,
  AttrProto,
  FuncProto,
  FunctionProto,
  GraphProto,
  ListProto,
  NodeProto,
  ShapeProto,
  TensorProto,
} from "../tensorflow/schema.ts";
import { typeNumber } from "../tensorflow/types.ts";

export type Json = Readonly<Record<string, unknown>>;

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const objectOf = (value: unknown): Json =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

export function graphFromJson(json: Json, file: string): GraphProto {
  return {
    node: listOf(json.node).map((node) => nodeFromJson(objectOf(node), file)),
    library: { function: listOf(objectOf(json.library).function).map((one) => functionFromJson(objectOf(one), file)) },
  };
}

function nodeFromJson(json: Json, file: string): NodeProto {
  return {
    name: textOf(json.name),
    op: textOf(json.op),
    input: listOf(json.input).map(textOf),
    attr: attributesFromJson(json.attr, file),
  };
}

function functionFromJson(json: Json, file: string): FunctionProto {
  const signature = objectOf(json.signature);
  const args = (list: unknown): ArgProto[] => listOf(list).map((arg) => ({ name: textOf(objectOf(arg).name) }));
  const entries = (value: unknown) =>
    Object.entries(objectOf(value)).map(([key, text]) => ({ key, value: textOf(text) }));
  return {
    signature: { name: textOf(signature.name), input: args(signature.inputArg), output: args(signature.outputArg) },
    node: listOf(json.nodeDef).map((node) => nodeFromJson(objectOf(node), file)),
    ret: entries(json.ret),
    controlRet: entries(json.controlRet),
  };
}

function attributesFromJson(value: unknown, file: string): AttrEntry[] {
  return Object.entries(objectOf(value)).map(([key, attr]) => ({
    key,
    value: attributeFromJson(objectOf(attr), file),
  }));
}

function attributeFromJson(json: Json, file: string): AttrProto {
  const made: AttrProto = {};
  if (json.s !== undefined) made.s = bytesFromJson(json.s, file);
  if (json.i !== undefined) made.i = wholeFromJson(json.i);
  if (json.f !== undefined) made.f = Number(json.f);
  if (json.b !== undefined) made.b = json.b === true ? 1 : 0;
  if (json.type !== undefined) made.type = typeFromJson(json.type);
  if (json.shape !== undefined) made.shape = shapeFromJson(json.shape);
  if (json.tensor !== undefined) made.tensor = tensorFromJson(objectOf(json.tensor), file);
  if (json.func !== undefined) made.func = funcFromJson(objectOf(json.func), file);
  if (json.list !== undefined) made.list = listFromJson(objectOf(json.list), file);
  return made;
}

const funcFromJson = (json: Json, file: string): FuncProto => ({
  name: textOf(json.name),
  attr: attributesFromJson(json.attr, file),
});

function listFromJson(json: Json, file: string): ListProto {
  return {
    s: listOf(json.s).map((text) => bytesFromJson(text, file)),
    i: listOf(json.i).map(wholeFromJson),
    f: listOf(json.f).map(Number),
    b: listOf(json.b).map((flag) => (flag === true ? 1 : 0)),
    type: listOf(json.type).map(typeFromJson),
    shape: listOf(json.shape).map(shapeFromJson),
    tensor: listOf(json.tensor).map((tensor) => tensorFromJson(objectOf(tensor), file)),
    func: listOf(json.func).map((func) => funcFromJson(objectOf(func), file)),
  };
}

/** A number, by name or as it is; 0 is no type. */
export const typeFromJson = (value: unknown): number =>
  typeof value === "number" ? value : (typeNumber(textOf(value)) ?? 0);

export function shapeFromJson(value: unknown): ShapeProto {
  const json = objectOf(value);
  return {
    dim: listOf(json.dim).map((dim) => ({ size: wholeFromJson(objectOf(dim).size ?? 0) })),
    unknownRank: json.unknownRank === true ? 1 : 0,
  };
}

/** Small tensors of attributes; the elements of constants are in the weights. */
function tensorFromJson(json: Json, file: string): TensorProto {
  const proto: TensorProto = {
    dtype: typeFromJson(json.dtype),
    shape: shapeFromJson(json.tensorShape),
    strings: listOf(json.stringVal).map((text) => bytesFromJson(text, file)),
  };
  if (json.tensorContent !== undefined) proto.content = bytesFromJson(json.tensorContent, file);
  if (json.floatVal !== undefined) proto.floats = floatsFromJson(json.floatVal);
  if (json.scomplexVal !== undefined) proto.complexes = floatsFromJson(json.scomplexVal);
  if (json.doubleVal !== undefined)
    proto.doubles = new Uint8Array(Float64Array.from(listOf(json.doubleVal), Number).buffer);
  const whole = (value: unknown) =>
    varints(listOf(value).map((one) => wholeFromJson(one === true ? 1 : one === false ? 0 : one)));
  if (json.intVal !== undefined) proto.ints = whole(json.intVal);
  if (json.int64Val !== undefined) proto.longs = whole(json.int64Val);
  if (json.boolVal !== undefined) proto.bools = whole(json.boolVal);
  if (json.halfVal !== undefined) proto.halves = whole(json.halfVal);
  if (json.uint32Val !== undefined) proto.uint32s = whole(json.uint32Val);
  if (json.uint64Val !== undefined) proto.uint64s = whole(json.uint64Val);
  return proto;
}

/** Infinities and what is no number are texts. */
const floatsFromJson = (value: unknown): Uint8Array => new Uint8Array(Float32Array.from(listOf(value), Number).buffer);

/** Whole numbers as protobuf packs them. */
function varints(values: readonly Whole[]): Uint8Array {
  const bytes: number[] = [];
  for (const value of values) {
    let left = BigInt.asUintN(64, BigInt(value));
    for (; left >= 128n; left >>= 7n) bytes.push(Number(left & 127n) | 128);
    bytes.push(Number(left));
  }
  return Uint8Array.from(bytes);
}

function wholeFromJson(value: unknown): Whole {
  if (typeof value === "number") return Number.isSafeInteger(value) ? value : -2;
  if (typeof value !== "string" || !/^-?\d{1,20}$/.test(value)) return -2;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : BigInt(value);
}

function bytesFromJson(value: unknown, file: string): Uint8Array {
  const text = textOf(value);
  try {
    return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
  } catch {
    throw new AvocetError("import/malformed", `expected base64, got ${JSON.stringify(text.slice(0, 40))}`, {
      at: file,
    });
  }
}
