/** What a value is said to be: element type and shape, as far as the model reports. */
import type { DType } from "../tensor/inner.ts";

/** A known length, the name of a symbolic one, or null for one that nothing is known about. */
export type Dim = number | string | null;

export interface TensorType {
  readonly kind: "tensor";
  readonly dtype: DType;
  /** null: not even the rank is known. */
  readonly shape: readonly Dim[] | null;
}

export type ValueType =
  | TensorType
  | { readonly kind: "sparse-tensor"; readonly dtype: DType; readonly shape: readonly Dim[] | null }
  | { readonly kind: "sequence"; readonly of: ValueType | null }
  | { readonly kind: "optional"; readonly of: ValueType | null }
  | { readonly kind: "map"; readonly key: DType; readonly of: ValueType | null };

/** A tensor type in one call. */
export function tensorType(dtype: DType, shape: readonly Dim[] | null = null): TensorType {
  return { kind: "tensor", dtype, shape };
}

/** The shape when every length is a known number, else undefined. */
export function staticShape(type: ValueType | undefined): readonly number[] | undefined {
  if (type?.kind !== "tensor" || !type.shape) return undefined;
  return type.shape.every((d) => typeof d === "number") ? (type.shape as readonly number[]) : undefined;
}
