/**
 * A factor and a shift per channel go into a linear layer with constant weights, exactly but for one rounding:
 *
 *   its output   s·(W∗x + b) + t  =  (s·W)∗x + (s·b + t)            s, t per output channel
 *   its input    W∗(s·x + t) + b  =  (W·s)∗x + (b + Σ W·t)          s, t per input channel
 *
 * The second holds where every output sees every weight: not at borders padded with zeros, unless t is zero.
 */
import { betaOf, channelsOf, isOp } from "../../facts/inner.ts";
import type { Value } from "../../ir/inner.ts";
import { elementsOf, floatTensor } from "../../tensor/inner.ts";
import type { ChannelAffine } from "../batch-norm.ts";
import { biasesOf, type EditableLayer } from "./editable.ts";
import { store } from "./store.ts";

/** s·y + t on the layer's output. Returns the value that now is the result (a MatMul may have got an Add, or be a Gemm). */
export function scaleOutput(layer: EditableLayer, { scale, shift }: ChannelAffine): Value {
  const { output } = channelsOf(layer);
  const { dtype, shape } = layer.weight.tensor;
  const old = elementsOf(layer.weight.tensor);
  const weight = floatTensor(dtype, shape, (i) => old[i]! * scale[output(i)]!);
  const beta = betaOf(layer.node);
  return store(
    layer,
    weight,
    biasesOf(layer).map((b, c) => b * scale[c]! + shift[c]! / beta),
  );
}

/** The layer reads x where it read s·x + t. Returns the value that now is the result. */
export function scaleInput(layer: EditableLayer, { scale, shift }: ChannelAffine): Value {
  const { output, input } = channelsOf(layer);
  const bias = biasesOf(layer);
  const { dtype, shape } = layer.weight.tensor;
  const old = elementsOf(layer.weight.tensor);
  // Gemm computes alpha·A·B + beta·C: what moves from the product to C is multiplied by alpha / beta.
  const factor = (isOp(layer.node, "Gemm") ? layer.node.float("alpha", 1) : 1) / betaOf(layer.node);
  for (let i = 0; i < old.length; i++) bias[output(i)]! += old[i]! * shift[input(i)]! * factor;
  const weight = floatTensor(dtype, shape, (i) => old[i]! * scale[input(i)]!);
  return store(layer, weight, bias);
}
