/** Copies of the bodies of If, Loop and Scan, to compute again what they computed and to go back through it. */

import { invariant } from "../../../base/inner.ts";
import { readsOf } from "../../../facts/inner.ts";
import { absorb, Graph, type Node, removeDead, type TensorType, tensorType, type Value } from "../../../ir/inner.ts";
import type { Shape } from "../../../tensor/inner.ts";
import { bodyTypes } from "../../body-types.ts";
import { Emitter } from "../../emitter.ts";
import type { Backward } from "../../rule.ts";

/** A copy of a body that is being extended; once its outputs are set it can be given to a node. */
export interface BodyCopy {
  readonly graph: Graph;
  /** Writes into the copy. */
  readonly e: Emitter;
  /** Types of what the original body holds and captures, by the names of the copy. */
  readonly types: ReadonlyMap<string, TensorType>;
  /** What stands in the copy for a value of the original; captured values stand for themselves. */
  readonly of: (value: Value) => Value;
}

/** The graph of an attribute. */
export function bodyOf(node: Node, attribute: string): Graph {
  const found = node.attributes.get(attribute);
  invariant(found?.type === "graph", `${node} has no body ${attribute}`);
  return found.value;
}

/** Copies a body; `enter` makes what stands for its inputs, in the new graph, before anything else is there. */
export function copyBody(b: Backward, attribute: string, enter?: (e: Emitter) => readonly Value[]): BodyCopy {
  const original = bodyOf(b.node, attribute);
  const { names } = b.graph;
  const graph = new Graph(names.spare(`d_${attribute}`), names);
  const types = bodyTypes(b.types, b.node, attribute);
  const e = new Emitter(graph, types);
  const entered = enter?.(e) ?? [];
  const map = new Map<Value, Value | null>(original.inputs.map((value, i) => [value, entered[i]!]));
  absorb(graph, original, map);
  retell(types, original, map, "", "");
  return { graph, e, types, of: (value) => map.get(value) ?? value };
}

/** Copied values have other names; their types, and those of values in nested bodies, are told under these too. */
function retell(
  types: Map<string, TensorType>,
  original: Graph,
  map: ReadonlyMap<Value, Value | null>,
  from: string,
  to: string,
): void {
  for (const value of original.values()) {
    const type = types.get(`${from}${value.name}`);
    const copy = map.get(value);
    if (type && copy) types.set(`${to}${copy.name}`, type);
  }
  for (const node of original.nodes) {
    const first = node.outputs[0];
    const copy = first && map.get(first);
    if (!copy) continue;
    for (const [name, { type, value }] of node.attributes) {
      if (type === "graph") retell(types, value, map, `${from}${first.name}/${name}/`, `${to}${copy.name}/${name}/`);
    }
  }
}

/** Sets the outputs of a copy: each gets a name of its own and a type, and what nobody reads is left out. */
export function close({ graph, e }: BodyCopy, outputs: readonly (readonly [Value, TensorType | undefined])[]): Graph {
  graph.setOutputs(
    outputs.map(([value, type]) => {
      const own = e.op("Identity", [value]);
      own.type = type;
      return own;
    }),
  );
  removeDead(graph);
  return graph;
}

/** An input of a copy like an input of the original. */
export function enterLike(e: Emitter, value: Value): Value {
  const type = e.types.get(value.name);
  const made = e.graph.addInput(e.graph.names.spare(`d_${value.name}`), type ?? value.type);
  return made;
}

export const floats = (shape: Shape): TensorType => tensorType("float32", shape);

/** The float values that a node's bodies capture and whose gradients somebody asks for. */
export function capturedOf(b: Backward): Value[] {
  const inputs = new Set(b.node.inputs);
  const found = [...readsOf(b.node)].filter((value) => b.wantsValue(value));
  // What is an input as well has its gradient as such too; both parts are given.
  return found.filter((value) => !inputs.has(value) || isCaptured(b.node, value));
}

function isCaptured(node: Node, value: Value): boolean {
  return [...value.uses()].some((use) => {
    let graph = "node" in use ? use.node.graph : use.graph;
    while (graph && graph.parent !== node) graph = graph.parent?.graph ?? null;
    return graph !== null;
  });
}

export function isFloat(types: ReadonlyMap<string, TensorType>, value: Value): boolean {
  return (value.initializer?.dtype ?? types.get(value.name)?.dtype) === "float32";
}
