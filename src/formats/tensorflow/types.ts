/** TensorFlow's element types and shapes, and its tensors. */
import { AvocetError } from "../../base/inner.ts";
import type { Dim } from "../../ir/inner.ts";
import { byteLength, type DType, dtypes, sizeOf, Tensor } from "../../tensor/inner.ts";
import { limits } from "../limits.ts";
import { countVarints, dataOfVarints } from "../protobuf/varints.ts";
import type { ShapeProto, TensorProto } from "./schema.ts";

/** DataType by number; names as JSON has them. */
const names: readonly (readonly [number: number, name: string, dtype: DType | null])[] = [
  [1, "DT_FLOAT", "float32"],
  [2, "DT_DOUBLE", "float64"],
  [3, "DT_INT32", "int32"],
  [4, "DT_UINT8", "uint8"],
  [5, "DT_INT16", "int16"],
  [6, "DT_INT8", "int8"],
  [7, "DT_STRING", "string"],
  [8, "DT_COMPLEX64", "complex64"],
  [9, "DT_INT64", "int64"],
  [10, "DT_BOOL", "bool"],
  [14, "DT_BFLOAT16", "bfloat16"],
  [17, "DT_UINT16", "uint16"],
  [18, "DT_COMPLEX128", "complex128"],
  [19, "DT_HALF", "float16"],
  [20, "DT_RESOURCE", null],
  [21, "DT_VARIANT", null],
  [22, "DT_UINT32", "uint32"],
  [23, "DT_UINT64", "uint64"],
];

/** References of TensorFlow 1 are the same types with 100 added. */
const reference = 100;
const byNumber = new Map(names.map(([number, , dtype]) => [number, dtype]));
const numbers = new Map(names.map(([number, name]) => [name, number]));

/** The element type; null for handles (variables, lists), undefined for one that has no counterpart. */
export function dtypeOf(number: number): DType | null | undefined {
  return byNumber.get(number > reference ? number - reference : number);
}

/** The number of a DataType that JSON names. */
export const typeNumber = (name: string): number | undefined => numbers.get(name);

/** Lengths, −1 being unknown; undefined when not even the rank is known. */
export function lengthsFromProto(shape: ShapeProto | undefined, where: string): readonly Dim[] | undefined {
  if (!shape || shape.unknownRank) return undefined;
  if (shape.dim.length > limits.rank) {
    throw new AvocetError("import/malformed", `expected at most ${limits.rank} dimensions, got ${shape.dim.length}`, {
      at: where,
    });
  }
  return shape.dim.map(({ size = 0 }) => {
    if (typeof size === "number" && size >= 0) return size;
    if (size === -1) return null;
    throw new AvocetError("import/malformed", `expected a length, got ${size}`, { at: where });
  });
}

/** The known shape of a constant. */
export function shapeFromProto(shape: ShapeProto | undefined, where: string): readonly number[] {
  const lengths = lengthsFromProto(shape, where) ?? [];
  let size = 1;
  for (const length of lengths) {
    if (typeof length === "number") size *= length;
    if (typeof length === "number" && size <= limits.tensorBytes) continue;
    throw new AvocetError(
      "import/malformed",
      `expected the shape of a tensor, got [${lengths.map((v) => v ?? -1).join(",")}]`,
      {
        at: where,
      },
    );
  }
  return lengths as readonly number[];
}

/** The element type of a tensor. Throws `import/unsupported-type`. */
export function elementType(number: number | undefined, where: string): DType {
  const dtype = dtypeOf(number ?? 0);
  if (dtype) return dtype;
  throw new AvocetError("import/unsupported-type", `expected an element type of tensors, got number ${number ?? 0}`, {
    at: where,
  });
}

/**
 * A constant. Its content is raw bytes, or a list of elements of which the last one stands for all that follow. Throws
 * `import/unsupported-type` and `import/malformed`.
 */
export function tensorFromProto(proto: TensorProto, where: string): Tensor {
  const dtype = elementType(proto.dtype, where);
  const shape = shapeFromProto(proto.shape, where);
  const count = sizeOf(shape);
  const broken = (problem: string) => new AvocetError("import/malformed", problem, { at: where });
  if (dtype === "string") {
    const given = proto.strings;
    if (given.length > count) throw broken(`expected at most ${count} strings, got ${given.length}`);
    if (count > limits.decodedUnits) throw broken(`expected at most ${limits.decodedUnits} strings, got ${count}`);
    const decoder = new TextDecoder();
    return Tensor.lazy(dtype, shape, () =>
      filled(
        count,
        given.map((text) => decoder.decode(text)),
        "",
      ),
    );
  }
  const expected = byteLength(dtype, count);
  const { content } = proto;
  if (content && content.length > 0) {
    if (content.length !== expected) throw broken(`expected ${expected} bytes of data, got ${content.length}`);
    return Tensor.lazy(dtype, shape, () => Tensor.fromBytes(dtype, shape, content).data);
  }
  const given = listed(proto, dtype);
  const parts = dtypes[dtype].kind === "complex" ? 2 : 1;
  if (Number.isNaN(given.count) || given.count > count * parts || given.count % parts !== 0) {
    throw broken(`expected at most ${count} elements of data, got ${given.count / parts}`);
  }
  if (given.count < count * parts && expected > limits.foldedBytes) {
    throw new AvocetError(
      "import/too-large",
      `expected at most ${limits.foldedBytes} bytes of repeated elements, got ${expected}`,
      {
        at: where,
      },
    );
  }
  return Tensor.lazy(dtype, shape, () => {
    const some = given.data();
    if (some.length === count * parts) return some;
    const all = new (some.constructor as new (length: number) => typeof some)(count * parts);
    (all as Float32Array).set(some as Float32Array);
    if (some.length > 0) for (let i = some.length; i < all.length; i++) all[i] = all[i - parts]!;
    return all;
  });
}

interface Listed {
  readonly count: number;
  data(): Exclude<Tensor["data"], readonly string[]>;
}

/** The elements that are listed one by one. */
function listed(proto: TensorProto, dtype: DType): Listed {
  const raw =
    dtype === "float32"
      ? proto.floats
      : dtype === "float64"
        ? proto.doubles
        : dtype === "complex64"
          ? proto.complexes
          : undefined;
  const none = new Uint8Array();
  if (dtype === "float32" || dtype === "float64" || dtype === "complex64" || dtype === "complex128") {
    const bytes = raw ?? none;
    const plain: DType = dtype === "float64" || dtype === "complex128" ? "float64" : "float32";
    const count = bytes.length / byteLength(plain, 1);
    return {
      count: Number.isInteger(count) ? count : Number.NaN,
      data: () => Tensor.fromBytes(plain, [count], bytes).data as Float32Array,
    };
  }
  const lists: Partial<Record<DType, Uint8Array | undefined>> = {
    int64: proto.longs,
    uint64: proto.uint64s,
    uint32: proto.uint32s,
    bool: proto.bools,
    float16: proto.halves,
    bfloat16: proto.halves,
  };
  const bytes = (dtype in lists ? lists[dtype] : proto.ints) ?? none;
  const count = countVarints(bytes);
  return { count, data: () => dataOfVarints(dtype, bytes, count) as Int32Array };
}

function filled(count: number, given: readonly string[], nothing: string): string[] {
  return Array.from({ length: count }, (_, i) => given[Math.min(i, given.length - 1)] ?? nothing);
}
