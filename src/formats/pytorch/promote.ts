/** PyTorch's rules for operands of different types. */
import { type DType, dtypes } from "../../tensor/inner.ts";
import type { Term } from "../channels-last/term.ts";

const category = (dtype: DType) => {
  const { kind } = dtypes[dtype];
  return kind === "bool" ? 0 : kind === "float" ? 2 : 1;
};

/** The type in which two tensors meet: of the higher category; within one, tensors with axes outweigh those without. */
export function promoted(a: Term, b: Term): DType {
  if (a.dtype === b.dtype) return a.dtype;
  const [first, second] = [category(a.dtype), category(b.dtype)];
  if (first !== second) return first > second ? a.dtype : b.dtype;
  if ((a.shape.length === 0) !== (b.shape.length === 0)) return a.shape.length === 0 ? b.dtype : a.dtype;
  if (dtypes[a.dtype].bits === dtypes[b.dtype].bits) return category(a.dtype) === 2 ? "float32" : "int16";
  return dtypes[a.dtype].bits > dtypes[b.dtype].bits ? a.dtype : b.dtype;
}

/** The type in which a tensor meets a number. */
export function promotedWith(a: Term, value: number): DType {
  if (category(a.dtype) === 2) return a.dtype;
  if (!Number.isInteger(value)) return "float32";
  return category(a.dtype) === 0 ? "int64" : a.dtype;
}
