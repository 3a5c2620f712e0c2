/**
 * A matrix over channels goes into a layer, exactly but for rounding: a rotation, or a choice of channels where some are cut.
 *
 *   its output   M·(W∗x + b)  =  (M·W)∗x + M·b
 *   its input    W∗(M·x) + b  =  (W·M)∗x + b
 *
 * Both hold at padded borders, too. Groups keep their channels apart, so that layers with groups refuse.
 */
import { type Refused, refuse } from "../../base/inner.ts";
import type { Value } from "../../ir/inner.ts";
import { elementsOf, floatTensor, type Tensor } from "../../tensor/inner.ts";
import { biasesOf, type EditableLayer } from "./editable.ts";
import { store } from "./store.ts";

/** Rows of a matrix, each as long as the others. */
export type Rows = readonly ArrayLike<number>[];

/** M·y on the layer's output; M is [new outputs, outputs]. Returns the value that now is the result. */
export function mixOutputs(layer: EditableLayer, matrix: Rows): Value | Refused {
  if (layer.axes.groups > 1) return grouped(layer);
  const bias = biasesOf(layer);
  const weight = mixed(layer.weight.tensor, layer.axes.out, matrix.length, (to, from) => matrix[to]![from]!);
  return store(
    layer,
    weight,
    matrix.map((row) => bias.reduce((sum, b, c) => sum + row[c]! * b, 0)),
  );
}

/** The layer reads x where it read M·x; M is [inputs, new inputs]. Returns the value that is the result. */
export function mixInputs(layer: EditableLayer, matrix: Rows): Value | Refused {
  if (layer.axes.groups > 1) return grouped(layer);
  const length = matrix[0]!.length;
  const weight = mixed(layer.weight.tensor, layer.axes.in[0]!, length, (to, from) => matrix[from]![to]!);
  return store(layer, weight, biasesOf(layer));
}

/** The layer computes these output channels alone, in this order. */
export function cutOutputs(layer: EditableLayer, channels: readonly number[]): Value | Refused {
  if (layer.axes.groups > 1) return grouped(layer);
  const bias = biasesOf(layer);
  return store(
    layer,
    chosen(layer.weight.tensor, layer.axes.out, channels),
    channels.map((c) => bias[c]!),
  );
}

/** The layer reads these input channels alone: exact where the others are zero. */
export function cutInputs(layer: EditableLayer, channels: readonly number[]): Value | Refused {
  if (layer.axes.groups > 1) return grouped(layer);
  return store(layer, chosen(layer.weight.tensor, layer.axes.in[0]!, channels), biasesOf(layer));
}

function grouped({ node }: EditableLayer): Refused {
  return refuse(`${node} keeps the channels of its groups apart`);
}

/** Along one axis, the i-th new slice is the sum of the old ones times `factor(i, old)`. */
function mixed(weight: Tensor, axis: number, length: number, factor: (to: number, from: number) => number): Tensor {
  const old = elementsOf(weight);
  const before = weight.shape[axis]!;
  const stride = weight.shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  return floatTensor(weight.dtype, weight.shape.with(axis, length), (i) => {
    const start = Math.floor(i / (stride * length)) * stride * before + (i % stride);
    const to = Math.floor(i / stride) % length;
    let sum = 0;
    for (let from = 0; from < before; from++) sum += old[start + from * stride]! * factor(to, from);
    return sum;
  });
}

function chosen(weight: Tensor, axis: number, slices: readonly number[]): Tensor {
  const old = elementsOf(weight);
  const stride = weight.shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  return floatTensor(weight.dtype, weight.shape.with(axis, slices.length), (i) => {
    const outer = Math.floor(i / (stride * slices.length));
    const from = slices[Math.floor(i / stride) % slices.length]!;
    return old[(outer * weight.shape[axis]! + from) * stride + (i % stride)]!;
  });
}
