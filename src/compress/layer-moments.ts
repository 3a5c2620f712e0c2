/** The moments that a layer is fitted on: around the mean where a bias takes care of the mean, around zero where there is none. */
import { isRefused, Random } from "../base/inner.ts";
import { biasOf, type MatrixLayer, vectorSlot } from "../facts/inner.ts";
import type { Model } from "../ir/inner.ts";
import { LayerInputs } from "../methods/inner.ts";
import type { Moments } from "../quant/inner.ts";
import type { ImportanceOptions } from "./output-importance.ts";

/** What the layers of a model read, layer by layer; with `compressed`, what they read there as well. */
export function layerInputs(
  model: Model,
  { runtime, data, seed, threads, batch, signal }: ImportanceOptions,
  compressed?: Model,
): LayerInputs {
  return new LayerInputs({
    cursor: {
      model,
      ...(compressed ? { quantized: compressed } : {}),
      runtime,
      data,
      signal,
      session: { ...(threads ? { threads } : {}) },
      ...(batch ? { batch } : {}),
    },
    random: new Random(seed),
    threads,
  });
}

/** The bias where the layer has one that can be set: another one would cost parameters that no budget knows. */
export function settableBias({ node, axes }: MatrixLayer): Float64Array | null {
  const slot = vectorSlot(node, axes.outputs);
  if (isRefused(slot) || !slot.node.input(slot.index)) return null;
  const old = biasOf(slot, axes.outputs);
  return isRefused(old) ? null : old;
}

/** E[x̂x̂ᵀ] and E[x̂(x̂ − x)ᵀ], [groups, columns, columns] each, centred if `centred`. */
export function fittedOn(moments: Moments, centred: boolean): Pick<Moments, "h" | "r"> {
  if (centred) return moments;
  const { groups, columns, mean, quantizedMean } = moments;
  const [h, r] = [moments.h.slice(), moments.r.slice()];
  for (let g = 0, at = 0; g < groups; g++) {
    for (let i = 0; i < columns; i++) {
      const own = quantizedMean[g * columns + i]!;
      for (let j = 0; j < columns; j++, at++) {
        const other = quantizedMean[g * columns + j]!;
        h[at]! += own * other;
        r[at]! += own * (other - mean[g * columns + j]!);
      }
    }
  }
  return { h, r };
}
