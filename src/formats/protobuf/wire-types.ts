/** How a protobuf message is described: one row per field, in tables that the decoder and the encoder walk. */

/** Bytes that a writer hands on piece by piece, so that large tensors are never whole in memory. */
export interface Payload {
  readonly length: number;
  chunks(): Iterable<Uint8Array>;
}

/**
 * int64 is a number where that is exact, else a bigint. `packed` is the wire form of a repeated number, kept as bytes:
 * little-endian floats, or varints one after the other.
 */
export type Scalar = "int64" | "int32" | "float" | "string" | "bytes" | "packed-varint" | "packed-32" | "packed-64";

export interface Row {
  readonly key: string;
  readonly no: number;
  readonly kind: Scalar | (() => MessageType<object>);
  readonly repeated: boolean;
}

export interface MessageType<T extends object> {
  readonly name: string;
  /** By field number. */
  readonly rows: ReadonlyMap<number, Row>;
  /** The same rows in the order in which they are written. */
  readonly list: readonly Row[];
  /** The keys of repeated fields. */
  readonly lists: readonly string[];
  /** Only names the type for the compiler. */
  readonly made?: T;
}

/** Fields that the table does not have, as they were: tag and content. */
export interface Extra {
  unknown?: Uint8Array;
}

type Spec = readonly [no: number, kind: Row["kind"]];
type Elements<V> = Extract<V, readonly unknown[]>;
type RowOf<V> = [Elements<V>] extends [never] ? { readonly one: Spec } : { readonly many: Spec };
type Rows<T> = { readonly [K in Exclude<keyof T, "unknown">]-?: RowOf<NonNullable<T[K]>> };

/** Declares a message: `one` field or `many`, each with its number and kind. */
export function message<T extends object>(name: string, fields: Rows<T>): MessageType<T> {
  const rows = new Map<number, Row>();
  for (const [key, spec] of Object.entries<{ one?: Spec; many?: Spec }>(fields)) {
    const [no, kind] = (spec.one ?? spec.many)!;
    rows.set(no, { key, no, kind, repeated: spec.many !== undefined });
  }
  const list = [...rows.values()];
  return { name, rows, list, lists: list.filter((row) => row.repeated).map((row) => row.key) };
}
