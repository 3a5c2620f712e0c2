/** What is known of one length, and what a rule for lengths is. */
import type { Node, Value } from "../../ir/inner.ts";

/** A number, or a key that is the same for lengths that are surely equal. */
export type Length = number | string;
export type Lengths = readonly Length[];

/** A small tensor that is computed from shapes. Elements in row-major order. */
export interface Computed {
  readonly dtype: "int32" | "int64";
  readonly shape: readonly number[];
  readonly elements: readonly Length[];
}

/** Undefined as a whole where not even the rank is known. */
export type Made = readonly (Length | undefined)[] | undefined;

/** What is known so far. */
export interface KnownLengths {
  of(value: Value | null): Lengths | undefined;
  /** The elements of a value that is computed from shapes; undefined for all others. */
  elements(value: Value | null): Computed | undefined;
}

/** The lengths of the output with this index. */
export type LengthRule = (node: Node, known: KnownLengths, output: number) => Made;
