/** The same linear layer in the float model, in the model that a method changes, and in the lowered one. */
import type { Model, Node } from "../ir/index.ts";
import { rowOf } from "../ops/index.ts";
import { type LinearLayer, linearLayer, type Plan } from "../quant/index.ts";

export interface Branches {
  /** In the float model. */
  readonly layer: LinearLayer;
  readonly resultNode: Node;
  readonly quantizedNode: Node;
}

/** Lowering and copying keep the order of the linear operators: the i-th of one model is the i-th of the others. */
export function alongside(model: Model, result: Model, quantized: Model): Branches[] {
  const [own, copies, lowered] = [model, result, quantized].map((m) =>
    [...m.graph.nodes].filter((node) => rowOf(node)?.linear),
  );
  return own!.flatMap((node, i) => {
    const layer = linearLayer(node);
    return layer ? [{ layer, resultNode: copies![i]!, quantizedNode: lowered![i]! }] : [];
  });
}

/** The plan without quantizers of activations: what its lowered model computes shows the error of weights alone. */
export function weightsOnly(plan: Plan): Plan {
  return { ...plan, entries: plan.entries.filter((entry) => entry.kind === "weight") };
}
