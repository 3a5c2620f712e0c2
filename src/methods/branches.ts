/** The same linear layer in the float model, in the model that a method changes, and in the lowered one. */
import { invariant, isRefused } from "../base/inner.ts";
import { type Layer, layerAt, type MatrixLayer, matrixLayers } from "../facts/inner.ts";
import type { Model, Node } from "../ir/inner.ts";
import { type Lowered, lower, ofSameLayer, type Plan, productsByWeight, withoutStorage } from "../quant/inner.ts";

export interface Branches {
  /** In the float model. */
  readonly layer: MatrixLayer;
  /** In the model that the method changes. */
  readonly result: Layer;
  /** In the lowered model, where its weight may come from a DequantizeLinear. */
  readonly quantizedNode: Node;
}

/** A quantized form of a model that knows what became of its layers: a lowered model, or a trainable one. */
export interface QuantizedForm {
  layer(layer: MatrixLayer): { readonly nodes: readonly Node[] };
}

/** The layers of a float model, each with its likes. Throws `graph/not-found` where one of the others lacks it. */
export function alongside(model: Model, result: Model, quantized: QuantizedForm): Branches[] {
  const copies = productsByWeight(result);
  return matrixLayers(model.graph).map((layer) => ({
    layer,
    result: sameLayer(ofSameLayer(layer, copies)),
    quantizedNode: quantized.layer(layer).nodes.at(-1)!,
  }));
}

function sameLayer(node: Node): Layer {
  const layer = layerAt(node);
  invariant(layer && !isRefused(layer), `${node} has the weight of a layer`);
  return layer;
}

/**
 * A lowered model whose weights and biases a method may replace: what stores weights in a form of its own computes the same numbers
 * as Q/DQ. Without activations it shows the error of weights alone.
 */
export function lowerForEdits(model: Model, plan: Plan, activations: boolean): Lowered {
  const entries = activations ? plan.entries : plan.entries.filter((entry) => entry.kind === "weight");
  return lower(model, withoutStorage({ ...plan, entries }));
}
