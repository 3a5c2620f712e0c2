/** What each linear layer of a model costs: which ones are worth making smaller. */
import { isRefused } from "../base/inner.ts";
import { floatConstant, graphsOf, layerAt, shapeOf } from "../facts/inner.ts";
import type { Model } from "../ir/inner.ts";
import { byteLength, sizeOf } from "../tensor/inner.ts";
import { macsOfNode, type Shapes } from "./cost.ts";

export interface LayerCost {
  /** The name of the node, or of its output where it has none. */
  readonly layer: string;
  readonly op: string;
  /** Of the weight. */
  readonly shape: readonly number[];
  /** Multiply-accumulates of one run; null where they do not follow from the shapes. */
  readonly macs: number | null;
  /** Numbers of weight and bias. A weight that several layers share counts for the first of them. */
  readonly parameters: number;
  /** Bytes of weight and bias. */
  readonly bytes: number;
  /** Bytes of what the layer computes; null where they do not follow from the shapes. */
  readonly activationBytes: number | null;
}

/** The layers with a constant weight, bodies included, in the order of the graph. */
export function layerCosts(model: Model, shapes: Shapes): LayerCost[] {
  const counted = new Set<unknown>();
  return [...graphsOf(model)].flatMap((graph) =>
    [...graph.nodes].flatMap((node): LayerCost[] => {
      const layer = layerAt(node);
      if (!layer || isRefused(layer)) return [];
      const bias = isRefused(layer.bias) ? undefined : layer.bias.node.input(layer.bias.index);
      let [parameters, bytes] = [0, 0];
      for (const tensor of [layer.weight.tensor, floatConstant(bias)]) {
        if (!tensor || counted.has(tensor)) continue;
        counted.add(tensor);
        parameters += tensor.size;
        bytes += byteLength(tensor.dtype, tensor.size);
      }
      const made = shapeOf(node.output, shapes);
      return [
        {
          layer: node.name || node.output.name,
          op: node.op,
          shape: layer.weight.tensor.shape,
          macs: macsOfNode(node, shapes) ?? null,
          parameters,
          bytes,
          activationBytes: made ? byteLength(layer.weight.tensor.dtype, sizeOf(made)) : null,
        },
      ];
    }),
  );
}
