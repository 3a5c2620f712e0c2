/**
 * How far a step moves each weight. Adam's steps are as long as the learning rate, whatever the weight; folded batch norms leave
 * channels whose weights differ a hundredfold, so that one rate shakes some and leaves others where they are. Here a step is a
 * share of the channel's own magnitude (the trust ratio of You et al., 2017, LARS, by channel).
 */
import { type Encoding, forEachRun } from "../../quant/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import type { TrainableModel } from "../learned-quantizers/trainable.ts";

/** Root mean square of weights under which the learning rate holds as it is. */
const usual = 0.1;

/** By name of a quantized weight: for each element the root mean square of its channel (its block, its tensor), beside 0.1. */
export function stepSizes({ model, weights, quantizers }: TrainableModel): Map<string, Float32Array> {
  const values = model.graph.valuesByName();
  const encodings = new Map(quantizers.map(({ entry, encoding }) => [entry.value, encoding]));
  const found = new Map<string, Float32Array>();
  for (const name of weights) {
    const encoding = encodings.get(name);
    if (encoding) found.set(name, shares(values.get(name)!.initializer!, encoding));
  }
  return found;
}

function shares(weight: Tensor, { granularity, scale }: Encoding): Float32Array {
  const numbers = weight.floats();
  const sums = new Float64Array(scale.length);
  const counts = new Float64Array(scale.length);
  forEachRun(weight.shape, granularity, (slice, start, end) => {
    for (let i = start; i < end; i++) sums[slice]! += numbers[i]! ** 2;
    counts[slice]! += end - start;
  });
  const found = new Float32Array(numbers.length);
  forEachRun(weight.shape, granularity, (slice, start, end) => {
    found.fill(Math.sqrt(sums[slice]! / counts[slice]!) / usual, start, end);
  });
  return found;
}
