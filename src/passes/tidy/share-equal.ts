/** Computes and stores equal things once: common subexpressions, and constants with the same bytes. */
import { withSubgraphs } from "../../facts/inner.ts";
import type { Attribute, Graph, Node, Value } from "../../ir/inner.ts";
import { rowOf } from "../../ops/inner.ts";
import type { Tensor } from "../../tensor/inner.ts";
import type { Pass } from "../pass.ts";

/** Nodes of one graph that do the same with the same inputs become one. */
export const shareSubexpressions: Pass = {
  name: "share-subexpressions",
  run(model) {
    let edits = 0;
    for (const graph of withSubgraphs(model.graph)) {
      const ids = new Map<Value | Tensor, number>();
      const seen = new Map<string, Node>();
      for (const node of graph.nodes) {
        const key = keyOf(node, ids);
        const first = key === undefined ? undefined : seen.get(key);
        if (!first) {
          if (key !== undefined) seen.set(key, node);
        } else if (node.outputs.every((output) => !output.isGraphOutput)) {
          node.outputs.forEach((output, i) => {
            graph.replaceUses(output, first.outputs[i]!);
          });
          graph.remove(node);
          edits++;
        }
      }
    }
    return edits;
  },
};

/** A text that is equal for nodes that compute the same; undefined for those that must not be merged. */
function keyOf(node: Node, ids: Map<Value | Tensor, number>): string | undefined {
  const row = rowOf(node);
  if (!row || row.random) return undefined;
  const id = (of: Value | Tensor): number => {
    const known = ids.get(of) ?? ids.size;
    ids.set(of, known);
    return known;
  };
  const attributes: string[] = [];
  for (const [name, attribute] of [...node.attributes].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const text = attributeKey(attribute, id);
    if (text === undefined) return undefined;
    attributes.push(`${name}=${text}`);
  }
  const inputs = node.inputs.map((value) => (value ? id(value) : "-"));
  const outputs = node.outputs.map((value) => (value.name === "" ? "-" : "+"));
  return [node.opName, inputs, attributes, outputs.join("")].join("|");
}

function attributeKey({ type, value }: Attribute, id: (of: Tensor) => number): string | undefined {
  if (type === "tensor") return `tensor ${id(value)}`;
  if (type === "graph" || type === "graphs" || type === "opaque" || type === "tensors") return undefined;
  return `${type} ${JSON.stringify(value, (_, v) => (typeof v === "bigint" ? Number(v) : v))}`;
}

/** Larger constants are left alone: comparing them would load every weight of a large model. */
const largest = 1 << 22;

/**
 * Constants of one graph with equal type, shape and bytes (at most 4 MiB) become one. A pass that edits a shared weight
 * gives its layer a copy.
 */
export const shareConstants: Pass = {
  name: "share-constants",
  run(model) {
    let edits = 0;
    for (const graph of withSubgraphs(model.graph)) edits += shareIn(graph);
    return edits;
  },
};

function shareIn(graph: Graph): number {
  let edits = 0;
  const seen = new Map<string, Value[]>();
  for (const value of [...graph.initializers]) {
    const tensor = value.initializer!;
    if (value.isGraphInput || value.isGraphOutput || tensor.dtype === "string" || tensor.byteLength > largest) continue;
    const key = `${tensor.dtype}[${tensor.shape}] ${hashOf(tensor.bytes)}`;
    const alike = seen.get(key) ?? [];
    const first = alike.find((other) => sameBytes(other.initializer!.bytes, tensor.bytes));
    if (first) {
      graph.replaceUses(value, first);
      graph.removeInitializer(value);
      edits++;
    } else seen.set(key, [...alike, value]);
  }
  return edits;
}

/** FNV-1a: a quick way to tell most different constants apart. */
function hashOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
