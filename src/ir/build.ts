/** Small builders: attributes from plain values, and nodes in one call. */
import { Tensor } from "../tensor/inner.ts";
import type { Attribute, AttributeLike } from "./attribute.ts";
import { Graph, type Node, type Place, type Value } from "./graph.ts";

/**
 * A plain value as an attribute: a number that is whole becomes an int, use `{ type: "float", value }` for a float
 * that may be whole; arrays of whole numbers (and empty ones) become ints, of other numbers floats, of strings strings.
 */
export function attributeOf(value: AttributeLike): Attribute {
  if (typeof value === "bigint") return { type: "int", value };
  if (typeof value === "number") return Number.isInteger(value) ? { type: "int", value } : { type: "float", value };
  if (typeof value === "string") return { type: "string", value };
  if (value instanceof Tensor) return { type: "tensor", value };
  if (value instanceof Graph) return { type: "graph", value };
  if (Array.isArray(value)) {
    if (value.some((v) => typeof v === "string")) return { type: "strings", value: value as string[] };
    return { type: value.every(Number.isInteger) ? "ints" : "floats", value: value as number[] };
  }
  return value as Attribute;
}

export interface NodeOptions {
  readonly domain?: string;
  readonly name?: string;
  /** Hint for the name of the first output (default: the operator in lower case). */
  readonly output?: string;
  readonly outputs?: readonly string[];
  readonly place?: Place;
}

/** Inserts a node and returns it; attributes are plain values (see `attributeOf`). */
export function addNode(
  graph: Graph,
  op: string,
  inputs: readonly (Value | null)[],
  attributes: Readonly<Record<string, AttributeLike>> = {},
  options: NodeOptions = {},
): Node {
  const outputs = options.outputs ?? [options.output ?? op.toLowerCase()];
  return graph.insert(
    {
      op,
      inputs,
      outputs,
      attributes: new Map(Object.entries(attributes).map(([key, value]) => [key, attributeOf(value)])),
      ...(options.domain ? { domain: options.domain } : {}),
      ...(options.name ? { name: options.name } : {}),
    },
    options.place,
  );
}
