/** TypeProto ↔ ValueType. */
import type { Dim, ValueType } from "../../ir/inner.ts";
import { dtypes } from "../../tensor/inner.ts";
import type { Reading } from "./context.ts";
import { typeExtras } from "./extras.ts";
import type { DimensionProto, ShapeProto, TensorTypeProto, TypeProto } from "./schema.ts";
import { dtypeFromProto } from "./tensor-from-proto.ts";

/**
 * The type, or undefined for what no ValueType can say (opaque types, tensors without element type). Throws
 * `import/unsupported-type` for unknown element types and `import/malformed` for dimensions beyond 2⁵³.
 */
export function typeFromProto(proto: TypeProto, reading: Reading, where: string): ValueType | undefined {
  const type = plainType(proto, reading, where);
  if (type && saysMore(proto)) typeExtras.set(type, proto);
  return type;
}

function plainType(proto: TypeProto, reading: Reading, where: string): ValueType | undefined {
  const inner = (element: TypeProto | undefined) => (element ? (typeFromProto(element, reading, where) ?? null) : null);
  if (proto.tensor) return tensorType("tensor", proto.tensor, reading, where);
  if (proto.sparse) return tensorType("sparse-tensor", proto.sparse, reading, where);
  if (proto.sequence) return { kind: "sequence", of: inner(proto.sequence.elemType) };
  if (proto.optional) return { kind: "optional", of: inner(proto.optional.elemType) };
  if (proto.map) {
    const key = dtypeFromProto(proto.map.keyType ?? 0, reading, where);
    return { kind: "map", key, of: inner(proto.map.valueType) };
  }
  return undefined;
}

function tensorType(
  kind: "tensor" | "sparse-tensor",
  proto: TensorTypeProto,
  reading: Reading,
  where: string,
): ValueType | undefined {
  // Some exporters write element type 0: they do not know either.
  if (!proto.elemType) return undefined;
  const dtype = dtypeFromProto(proto.elemType, reading, where);
  return { kind, dtype, shape: proto.shape ? proto.shape.dim.map((dim) => dimFromProto(dim, reading, where)) : null };
}

function dimFromProto(proto: DimensionProto, reading: Reading, where: string): Dim {
  if (proto.value !== undefined) {
    // Old exporters write −1 for a length they do not know.
    if (typeof proto.value === "number") return proto.value < 0 ? null : proto.value;
    throw reading.error("import/malformed", `expected a dimension below 2⁵³, got ${proto.value}`, where);
  }
  return proto.param ? proto.param : null;
}

/** Denotations and fields of a newer ONNX, here or in the types inside. */
function saysMore(proto: TypeProto): boolean {
  const { tensor, sparse, sequence, optional, map } = proto;
  if (proto.denotation !== undefined || proto.unknown) return true;
  for (const one of [tensor, sparse]) {
    if (one && (one.unknown || one.shape?.unknown)) return true;
    if (one?.shape?.dim.some((dim) => dim.denotation !== undefined || dim.unknown)) return true;
  }
  const element = sequence?.elemType ?? optional?.elemType ?? map?.valueType;
  return Boolean(sequence?.unknown ?? optional?.unknown ?? map?.unknown) || (element ? saysMore(element) : false);
}

export function typeToProto(type: ValueType): TypeProto {
  const kept = typeExtras.get(type);
  if (kept) return kept;
  switch (type.kind) {
    case "tensor":
      return { tensor: { elemType: dtypes[type.dtype].onnx, ...shapeToProto(type.shape) } };
    case "sparse-tensor":
      return { sparse: { elemType: dtypes[type.dtype].onnx, ...shapeToProto(type.shape) } };
    case "sequence":
      return { sequence: type.of ? { elemType: typeToProto(type.of) } : {} };
    case "optional":
      return { optional: type.of ? { elemType: typeToProto(type.of) } : {} };
    case "map":
      return { map: { keyType: dtypes[type.key].onnx, ...(type.of ? { valueType: typeToProto(type.of) } : {}) } };
    default:
      return type satisfies never;
  }
}

function shapeToProto(shape: readonly Dim[] | null): { shape?: ShapeProto } {
  if (!shape) return {};
  return {
    shape: { dim: shape.map(dimToProto) },
  };
}

/** Lengths that no file can hold, and names that are none, are read as open ones: so they are written. */
function dimToProto(dim: Dim): { readonly value?: number; readonly param?: string } {
  if (dim === null || dim === "" || (typeof dim === "number" && dim < 0)) return {};
  return typeof dim === "number" ? { value: dim } : { param: dim };
}
