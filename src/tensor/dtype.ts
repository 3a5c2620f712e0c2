/** The element types of ONNX tensors: names, widths, and the typed array that holds each on the host. */

export type DType =
  | "float32"
  | "float64"
  | "float16"
  | "bfloat16"
  | "float8e4m3fn"
  | "float8e4m3fnuz"
  | "float8e5m2"
  | "float8e5m2fnuz"
  | "float8e8m0"
  | "float4e2m1"
  | "int2"
  | "int4"
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "uint2"
  | "uint4"
  | "uint8"
  | "uint16"
  | "uint32"
  | "uint64"
  | "bool"
  | "string"
  | "complex64"
  | "complex128";

export interface DTypeFacts {
  readonly bits: number;
  readonly kind: "float" | "int" | "uint" | "bool" | "string" | "complex";
  /** Number in TensorProto.DataType. */
  readonly onnx: number;
  /** Name in the official ONNX text syntax. */
  readonly text: string;
}

export const dtypes: { readonly [T in DType]: DTypeFacts } = {
  float32: { bits: 32, kind: "float", onnx: 1, text: "float" },
  uint8: { bits: 8, kind: "uint", onnx: 2, text: "uint8" },
  int8: { bits: 8, kind: "int", onnx: 3, text: "int8" },
  uint16: { bits: 16, kind: "uint", onnx: 4, text: "uint16" },
  int16: { bits: 16, kind: "int", onnx: 5, text: "int16" },
  int32: { bits: 32, kind: "int", onnx: 6, text: "int32" },
  int64: { bits: 64, kind: "int", onnx: 7, text: "int64" },
  string: { bits: 0, kind: "string", onnx: 8, text: "string" },
  bool: { bits: 8, kind: "bool", onnx: 9, text: "bool" },
  float16: { bits: 16, kind: "float", onnx: 10, text: "float16" },
  float64: { bits: 64, kind: "float", onnx: 11, text: "double" },
  uint32: { bits: 32, kind: "uint", onnx: 12, text: "uint32" },
  uint64: { bits: 64, kind: "uint", onnx: 13, text: "uint64" },
  complex64: { bits: 64, kind: "complex", onnx: 14, text: "complex64" },
  complex128: { bits: 128, kind: "complex", onnx: 15, text: "complex128" },
  bfloat16: { bits: 16, kind: "float", onnx: 16, text: "bfloat16" },
  float8e4m3fn: { bits: 8, kind: "float", onnx: 17, text: "float8e4m3fn" },
  float8e4m3fnuz: { bits: 8, kind: "float", onnx: 18, text: "float8e4m3fnuz" },
  float8e5m2: { bits: 8, kind: "float", onnx: 19, text: "float8e5m2" },
  float8e5m2fnuz: { bits: 8, kind: "float", onnx: 20, text: "float8e5m2fnuz" },
  uint4: { bits: 4, kind: "uint", onnx: 21, text: "uint4" },
  int4: { bits: 4, kind: "int", onnx: 22, text: "int4" },
  float4e2m1: { bits: 4, kind: "float", onnx: 23, text: "float4e2m1" },
  float8e8m0: { bits: 8, kind: "float", onnx: 24, text: "float8e8m0" },
  uint2: { bits: 2, kind: "uint", onnx: 25, text: "uint2" },
  int2: { bits: 2, kind: "int", onnx: 26, text: "int2" },
};

const byNumber = new Map(Object.entries(dtypes).map(([name, facts]) => [facts.onnx, name as DType]));

/** The dtype with this TensorProto.DataType number, or undefined for a number we do not know. */
export function dtypeOfOnnx(code: number): DType | undefined {
  return byNumber.get(code);
}

/** float32, float64, float16, bfloat16 and the low-bit floats. */
export function isFloat(dtype: DType): boolean {
  return dtypes[dtype].kind === "float";
}

/** Bytes that `count` elements occupy in raw_data; types under 8 bits are packed, low bits first. */
export function byteLength(dtype: DType, count: number): number {
  return Math.ceil((dtypes[dtype].bits * count) / 8);
}

/** What holds the elements on the host: low-bit types stay packed bytes, half floats are bit patterns. */
export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | readonly string[];

/** The same for numbers alone. */
export type NumericArray = Exclude<TensorData, readonly string[]>;
interface ArrayKind {
  new (length: number): NumericArray;
  new (buffer: ArrayBufferLike, offset: number, length: number): NumericArray;
  readonly BYTES_PER_ELEMENT: number;
}

/** The typed array class of a dtype (complex numbers are pairs; strings have none). */
export function arrayKind(dtype: DType): ArrayKind {
  switch (dtype) {
    case "float32":
    case "complex64":
      return Float32Array;
    case "float64":
    case "complex128":
      return Float64Array;
    case "int8":
      return Int8Array;
    case "int16":
      return Int16Array;
    case "float16":
    case "bfloat16":
    case "uint16":
      return Uint16Array;
    case "int32":
      return Int32Array;
    case "uint32":
      return Uint32Array;
    case "int64":
      return BigInt64Array;
    case "uint64":
      return BigUint64Array;
    case "string":
      throw new Error("internal: strings have no typed array");
    default:
      return Uint8Array;
  }
}
