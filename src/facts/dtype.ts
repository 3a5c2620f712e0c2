/** The element type of a value, as far as it follows from the graph itself. */

import type { Node, Value } from "../ir/inner.ts";
import type { DType } from "../tensor/inner.ts";
import { constantOf } from "./constants.ts";
import { rowIn } from "./tables/row.ts";
import { types } from "./tables/types.ts";

/** From the type, the data, or the producers (at most 200 nodes deep); undefined when nothing tells. */
export function dtypeOf(value: Value | null | undefined): DType | undefined {
  return search(value, 200, new Map());
}

/** From the data or the declared type alone, without asking what computes the value. */
export function declaredDType(value: Value | null | undefined): DType | undefined {
  return constantOf(value)?.dtype ?? (value?.type?.kind === "tensor" ? value.type.dtype : undefined);
}

function search(
  value: Value | null | undefined,
  depth: number,
  asked: Map<Value, DType | undefined>,
): DType | undefined {
  if (!value || depth === 0) return undefined;
  if (asked.has(value)) return asked.get(value);
  const found =
    declaredDType(value) ??
    (value.producer
      ? dtypeMadeBy(value.producer, value.producer.outputs.indexOf(value), (v) => search(v, depth - 1, asked))
      : undefined);
  asked.set(value, found);
  return found;
}

/** What the producer makes of the output with this index, given the types of its inputs, whatever is declared. */
export function dtypeMadeBy(
  node: Node,
  output: number,
  of: (input: Value | null) => DType | undefined,
): DType | undefined {
  return rowIn(types, node)?.(node, of, output);
}
