/** Attribute → AttributeProto. */
import { AvocetError } from "../../base/inner.ts";
import type { Attribute, Graph, Whole } from "../../ir/inner.ts";
import { attributeKinds } from "./attribute-from-proto.ts";
import { attributeExtras } from "./extras.ts";
import type { AttributeProto, GraphProto } from "./schema.ts";
import { tensorToProto } from "./tensor-to-proto.ts";
import { typeToProto } from "./type-proto.ts";

/** `body` makes the message of a subgraph. Throws `graph/invalid` for whole numbers that are none, or beyond 64 bits. */
export function attributeToProto(
  name: string,
  attribute: Attribute,
  body: (graph: Graph) => GraphProto,
): AttributeProto {
  // The bytes of an opaque attribute are a whole message, its name included.
  if (attribute.type === "opaque") return { ...empty, unknown: attribute.value };
  const extras = attributeExtras.get(attribute);
  return {
    ...empty,
    ...contentOf(name, attribute, body),
    name,
    type: attributeKinds.indexOf(attribute.type === "reference" ? attribute.of : attribute.type),
    ...(extras?.docString === undefined ? {} : { docString: extras.docString }),
    ...(extras?.unknown ? { unknown: extras.unknown } : {}),
  };
}

const empty: AttributeProto = {
  floats: [],
  ints: [],
  strings: [],
  tensors: [],
  graphs: [],
  typeProtos: [],
  sparseTensors: [],
};

function contentOf(
  name: string,
  attribute: Exclude<Attribute, { type: "opaque" }>,
  body: (graph: Graph) => GraphProto,
): Partial<AttributeProto> {
  switch (attribute.type) {
    case "float":
      return { f: attribute.value };
    case "int":
      return { i: whole(attribute.value, name) };
    case "string":
      return { s: bytesOfText(attribute.value) };
    case "tensor":
      return { t: tensorToProto(attribute.value, undefined, undefined) };
    case "graph":
      return { g: body(attribute.value) };
    case "type":
      return { typeProto: typeToProto(attribute.value) };
    case "floats":
      return { floats: [...attribute.value] };
    case "ints":
      return { ints: attribute.value.map((value) => whole(value, name)) };
    case "strings":
      return { strings: attribute.value.map(bytesOfText) };
    case "tensors":
      return { tensors: attribute.value.map((t) => tensorToProto(t, undefined, undefined)) };
    case "graphs":
      return { graphs: attribute.value.map(body) };
    case "types":
      return { typeProtos: attribute.value.map(typeToProto) };
    case "reference":
      return { refAttrName: attribute.value };
    default:
      return attribute satisfies never;
  }
}

function whole(value: Whole, name: string): Whole {
  if (typeof value === "bigint" ? BigInt.asIntN(64, value) === value : Number.isSafeInteger(value)) return value;
  throw new AvocetError("graph/invalid", `expected a whole number of 64 bits in the attribute ${name}, got ${value}`);
}

const encoder = new TextEncoder();

function bytesOfText(text: string | Uint8Array): Uint8Array {
  return typeof text === "string" ? encoder.encode(text) : text;
}
