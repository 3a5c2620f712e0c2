/** Layers that placement does not reach: those in the bodies of If, Loop and Scan. */
import { graphsOf } from "../../facts/inner.ts";
import type { Model } from "../../ir/inner.ts";
import { rowOf } from "../../ops/inner.ts";

/** How many nodes worth counting sit in bodies, by the operator that has them. */
export function layersInBodies(model: Model): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const graph of graphsOf(model)) {
    const { parent } = graph;
    if (!parent) continue;
    const layers = [...graph.nodes].filter((node) => rowOf(node)?.macs !== undefined).length;
    if (layers > 0) counts[parent.opName] = (counts[parent.opName] ?? 0) + layers;
  }
  return counts;
}
