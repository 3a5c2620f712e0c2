/** The rank of a value, as far as it follows from the graph itself: from its type, or from what computes it. */

import type { Node, Value } from "../ir/inner.ts";
import { constantOf } from "./constants.ts";
import { ranks } from "./tables/ranks.ts";
import { rowIn } from "./tables/row.ts";

/** Number of axes, or undefined when neither the type nor the producers say it. Looks back at most 200 nodes deep. */
export function rankOf(value: Value | null): number | undefined {
  return search(value, 200, new Map());
}

// Each value is asked once: residual nets have exponentially many ways back.
function search(value: Value | null, depth: number, known: Map<Value, number | undefined>): number | undefined {
  if (!value || depth === 0) return undefined;
  if (known.has(value)) return known.get(value);
  const found =
    constantOf(value)?.shape.length ??
    (value.type?.kind === "tensor" ? value.type.shape?.length : undefined) ??
    (value.producer ? computed(value.producer, (input) => search(input, depth - 1, known)) : undefined);
  known.set(value, found);
  return found;
}

/** Tables answer for the first output; that of another one is taken to be the same. */
function computed(node: Node, of: (input: Value | null) => number | undefined): number | undefined {
  return rowIn(ranks, node)?.(node, of);
}
