/** Small tensors whose elements are known while a model is imported: shapes and what is computed from them never become nodes. */
import type { Dim } from "../../ir/inner.ts";
import { arrayKind, type DType, dtypes, type NumericArray, toBfloat16Bits, toFloat16Bits } from "../../tensor/inner.ts";
import type { Content, Term } from "./term.ts";

/** The host form of these numbers; whole numbers of a type are taken as they are. */
export function arrayOf(dtype: DType, values: readonly number[]): NumericArray {
  const data = new (arrayKind(dtype))(values.length);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    for (let i = 0; i < values.length; i++) data[i] = BigInt(Math.trunc(values[i]!));
    return data;
  }
  const bits = dtype === "float16" ? toFloat16Bits : dtype === "bfloat16" ? toBfloat16Bits : (value: number) => value;
  for (let i = 0; i < values.length; i++) data[i] = bits(values[i]!);
  return data;
}

/** All elements, if each is known. */
export function known(content: Content | undefined): readonly number[] | undefined {
  return content?.every((value) => typeof value === "number") ? (content as readonly number[]) : undefined;
}

/** The elements of a term that must be known here (an axis, a number of parts), or undefined. */
export const knownOf = (term: Term): readonly number[] | undefined => known(term.content);

/** A function of numbers that also holds for the type: what overflows or is no number is not known. */
export function exactly(dtype: DType, value: number): number | null {
  const { kind, bits } = dtypes[dtype];
  if (kind === "bool") return value ? 1 : 0;
  if (kind === "float") return dtype === "float32" && Number.isFinite(value) ? Math.fround(value) : null;
  if (!Number.isSafeInteger(value)) return null;
  const most = kind === "uint" ? 2 ** bits - 1 : 2 ** (bits - 1) - 1;
  const least = kind === "uint" ? 0 : -most - 1;
  return value >= least && value <= most ? value : null;
}

/** What NumPy's broadcasting makes of two contents. */
export function broadcastContent(
  a: { readonly content: Content; readonly shape: readonly number[] },
  b: { readonly content: Content; readonly shape: readonly number[] },
  shape: readonly number[],
  of: (x: Dim, y: Dim) => Dim,
): Content {
  const index = (own: readonly number[], at: readonly number[]): number => {
    let found = 0;
    const skip = at.length - own.length;
    own.forEach((length, axis) => {
      found = found * length + (length === 1 ? 0 : at[axis + skip]!);
    });
    return found;
  };
  const at = shape.map(() => 0);
  const count = shape.reduce((x, y) => x * y, 1);
  const made: Dim[] = [];
  for (let i = 0; i < count; i++) {
    made.push(of(a.content[index(a.shape, at)]!, b.content[index(b.shape, at)]!));
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      if (++at[axis]! < shape[axis]!) break;
      at[axis] = 0;
    }
  }
  return made;
}
