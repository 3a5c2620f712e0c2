/** Element types by their numbers in exported programs (ScalarType of torch._export.serde.schema). */
import { AvocetError } from "../../base/inner.ts";
import type { DType } from "../../tensor/inner.ts";

const byNumber: readonly (DType | null)[] = [
  null, // unknown
  "uint8",
  "int8",
  "int16",
  "int32",
  "int64",
  "float16",
  "float32",
  "float64",
  null, // complex of 2 × 16 bits
  "complex64",
  "complex128",
  "bool",
  "bfloat16",
];

/** Throws `import/unsupported-type` for what has no counterpart, `import/malformed` for what is no type. */
export function dtypeOf(number: unknown, file: string): DType {
  if (typeof number !== "number") {
    throw new AvocetError("import/malformed", `expected the number of an element type, got ${typeof number}`, {
      at: file,
    });
  }
  const found = number === 28 ? "uint16" : number === 29 ? "float8e4m3fn" : byNumber[number];
  if (found) return found;
  throw new AvocetError("import/unsupported-type", `expected an element type of ONNX, got PyTorch's number ${number}`, {
    at: file,
  });
}
