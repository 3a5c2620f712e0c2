/** Memory of activations at their fullest, when the nodes run in the order of the file. */
import { readsOf } from "../facts/inner.ts";
import { type Model, staticShape, type Value } from "../ir/inner.ts";
import { byteLength, sizeOf } from "../tensor/inner.ts";
import type { Shapes } from "./cost.ts";

export interface PeakMemory {
  readonly bytes: number;
  /** The node that runs at that moment, as messages name it. */
  readonly at: string;
}

/**
 * The largest sum of bytes that live at one moment: a value lives from the node that makes it to its last reader, inputs
 * from the start, outputs to the end. Weights are not counted, nor what a kernel needs for itself; nothing is computed
 * in place. Null when the size of a value does not follow from the shapes.
 */
export function peakActivations(model: Model, shapes: Shapes): PeakMemory | null {
  const nodes = [...model.graph.nodes];
  const lastRead = new Map<Value, number>();
  nodes.forEach((node, i) => {
    for (const value of readsOf(node)) lastRead.set(value, i);
  });
  for (const output of model.graph.outputs) lastRead.set(output, nodes.length);
  const dying = new Map<number, number>();
  let live = 0;
  const start = (value: Value, now: number): boolean => {
    const end = lastRead.get(value);
    const type = shapes.get(value.name) ?? value.type;
    const shape = staticShape(type);
    if (value.name === "") return true;
    if (!shape || type?.kind !== "tensor") return false;
    const bytes = byteLength(type.dtype, sizeOf(shape));
    live += bytes;
    // What nobody reads is freed after the node that made it.
    const until = end ?? now;
    dying.set(until, (dying.get(until) ?? 0) + bytes);
    return true;
  };
  for (const input of model.graph.inputs) if (!input.initializer && !start(input, 0)) return null;
  let peak: PeakMemory = { bytes: live, at: "the inputs" };
  for (const [i, node] of nodes.entries()) {
    // A Constant is a weight in another spelling.
    if (node.op === "Constant" && node.domain === "") continue;
    for (const output of node.outputs) if (!start(output, i)) return null;
    if (live > peak.bytes) peak = { bytes: live, at: `${node}` };
    live -= dying.get(i) ?? 0;
  }
  return peak;
}
