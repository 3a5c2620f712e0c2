/** AttributeProto → Attribute. */
import type { Attribute, Graph } from "../../ir/inner.ts";
import { bytesOf, encode } from "../protobuf/encode.ts";
import type { Reading } from "./context.ts";
import { attributeExtras } from "./extras.ts";
import { type AttributeProto, attributeType, type GraphProto } from "./schema.ts";
import { tensorFromProto } from "./tensor-from-proto.ts";
import { typeFromProto } from "./type-proto.ts";

type Kind = Exclude<Attribute["type"], "reference">;

/** AttributeProto.AttributeType by number. */
export const attributeKinds: readonly (Kind | undefined)[] = [
  undefined,
  "float",
  "int",
  "string",
  "tensor",
  "graph",
  "floats",
  "ints",
  "strings",
  "tensors",
  "graphs",
  "opaque",
  "opaque",
  "type",
  "types",
];

/** `body` reads a subgraph; `where` names the node. Throws `import/unsupported-type` and `import/malformed`. */
export function attributeFromProto(
  proto: AttributeProto,
  reading: Reading,
  where: string,
  body: (proto: GraphProto) => Graph,
): Attribute {
  const attribute = plainAttribute(proto, reading, `${where}, attribute ${proto.name ?? ""}`, body);
  // The bytes of an opaque attribute hold its notes already.
  if (attribute.type !== "opaque" && (proto.docString !== undefined || proto.unknown)) {
    attributeExtras.set(attribute, { docString: proto.docString, unknown: proto.unknown });
  }
  return attribute;
}

function plainAttribute(
  proto: AttributeProto,
  reading: Reading,
  where: string,
  body: (proto: GraphProto) => Graph,
): Attribute {
  const kind = kindOf(proto, reading, where);
  if (proto.refAttrName) return { type: "reference", value: proto.refAttrName, of: kind };
  switch (kind) {
    case "float":
      return { type: kind, value: proto.f ?? 0 };
    case "int":
      return { type: kind, value: proto.i ?? 0 };
    case "string":
      return { type: kind, value: text(proto.s ?? new Uint8Array()) };
    case "tensor":
      return { type: kind, value: tensorFromProto(required(proto.t, reading, where), reading, where) };
    case "graph":
      return { type: kind, value: body(required(proto.g, reading, where)) };
    case "type": {
      const type = typeFromProto(required(proto.typeProto, reading, where), reading, where);
      return type ? { type: kind, value: type } : opaque(proto);
    }
    case "floats":
      return { type: kind, value: proto.floats };
    case "ints":
      return { type: kind, value: proto.ints };
    case "strings":
      return { type: kind, value: proto.strings.map(text) };
    case "tensors":
      return { type: kind, value: proto.tensors.map((t) => tensorFromProto(t, reading, where)) };
    case "graphs":
      return { type: kind, value: proto.graphs.map(body) };
    case "types": {
      const types = proto.typeProtos.map((t) => typeFromProto(t, reading, where));
      return types.every((t) => t !== undefined) ? { type: kind, value: types } : opaque(proto);
    }
    case "opaque":
      return opaque(proto);
    default:
      return kind satisfies never;
  }
}

/** The stated kind; files before IR version 2 leave it out, so the field that is set reports. */
function kindOf(proto: AttributeProto, reading: Reading, where: string): Kind {
  const stated = proto.type ?? 0;
  const kind = attributeKinds[stated];
  if (kind) return kind;
  if (stated !== 0)
    throw reading.error("import/unsupported-type", `expected a known attribute type, got number ${stated}`, where);
  if (proto.f !== undefined) return "float";
  if (proto.i !== undefined) return "int";
  if (proto.s !== undefined) return "string";
  if (proto.t) return "tensor";
  if (proto.g) return "graph";
  if (proto.typeProto) return "type";
  if (proto.floats.length > 0) return "floats";
  if (proto.ints.length > 0) return "ints";
  if (proto.strings.length > 0) return "strings";
  if (proto.tensors.length > 0) return "tensors";
  if (proto.graphs.length > 0) return "graphs";
  if (proto.typeProtos.length > 0) return "types";
  return "opaque";
}

function required<T>(field: T | undefined, reading: Reading, where: string): T {
  if (field !== undefined) return field;
  throw reading.error("import/malformed", "expected the value that the attribute's type names, got none", where);
}

function opaque(proto: AttributeProto): Attribute {
  return { type: "opaque", value: bytesOf(encode(attributeType, proto)) };
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Text where the bytes are UTF-8, else the bytes. */
function text(bytes: Uint8Array): string | Uint8Array {
  try {
    return strict.decode(bytes);
  } catch {
    return bytes;
  }
}
