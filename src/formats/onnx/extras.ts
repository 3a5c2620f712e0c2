/**
 * What a file says that the graph has no place for: names and notes of tensors, notes of attributes, denotations of
 * types. It is remembered by object, so it lives as long as the object does and is written back with it.
 */
import type { Attribute, Value, ValueType } from "../../ir/inner.ts";
import type { Tensor } from "../../tensor/inner.ts";
import type { Payload } from "../protobuf/wire-types.ts";
import type { EntryProto, TypeProto } from "./schema.ts";

export interface TensorExtras {
  readonly name: string | undefined;
  readonly docString: string | undefined;
  readonly metadata: readonly EntryProto[];
  readonly unknown: Uint8Array | undefined;
  /** The elements where they lie, so that writing them needs no load and no copy. */
  readonly payload: (Payload & { readonly file?: string }) | undefined;
  /** The elements of a string tensor; they need not be valid UTF-8. */
  readonly strings: readonly Uint8Array[] | undefined;
}

export interface AttributeExtras {
  readonly docString: string | undefined;
  readonly unknown: Uint8Array | undefined;
}

export const tensorExtras = new WeakMap<Tensor, TensorExtras>();
export const attributeExtras = new WeakMap<Attribute, AttributeExtras>();
/** Types that say more than a ValueType can: denotations of dimensions, unknown fields. */
export const typeExtras = new WeakMap<ValueType, TypeProto>();
/** Types that no ValueType can say: opaque ones, tensors without element type. */
export const untyped = new WeakMap<Value, TypeProto>();
