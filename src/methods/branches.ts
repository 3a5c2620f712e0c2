/** The same linear layer in the float model, in the model that a method changes, and in the lowered one. */
import type { Model, Node } from "../ir/index.ts";
import { type LinearLayer, linearLayers, ofSameLayer, type Plan, productsByWeight } from "../quant/index.ts";

export interface Branches {
  /** In the float model. */
  readonly layer: LinearLayer;
  readonly resultNode: Node;
  readonly quantizedNode: Node;
}

/** A quantized form of a model that knows what became of its layers: a lowered model, or a trainable one. */
export interface QuantizedForm {
  layer(layer: LinearLayer): { readonly nodes: readonly Node[] };
}

/** The layers of a float model, each with its likes. Throws `graph/not-found` where one of the others lacks it. */
export function alongside(model: Model, result: Model, quantized: QuantizedForm): Branches[] {
  const copies = productsByWeight(result);
  return linearLayers(model).map((layer) => ({
    layer,
    resultNode: ofSameLayer(layer, copies),
    quantizedNode: quantized.layer(layer).nodes.at(-1)!,
  }));
}

/** The plan without quantizers of activations: what its lowered model computes shows the error of weights alone. */
export function weightsOnly(plan: Plan): Plan {
  return { ...plan, entries: plan.entries.filter((entry) => entry.kind === "weight") };
}
