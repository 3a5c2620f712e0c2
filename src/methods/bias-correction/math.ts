/**
 * The arithmetic of bias correction. A linear layer returns y = W x + b for each patch x of its input, so that its mean
 * over all data is W m + b with the mean patch m. With rounded weights Ŵ and the mean patch m̂ of the quantized prefix
 *
 *   b̂ = b + W m − Ŵ m̂                                   empirical: Nagel et al. (2019), appendix D
 *   b̂ = b − (Ŵ − W) m                                    analytic: equation 19; m from batch norms, so m̂ = m
 *
 * returns the float model's mean again, exactly: padding is part of the patches.
 */

import type { MatrixLayer, MatrixView } from "../../facts/inner.ts";
import { patchGeometry } from "../../quant/inner.ts";
import { sizeOf, Tensor } from "../../tensor/inner.ts";

/** W m − Ŵ m̂ for each output channel, in float64. Matrices are [groups · outputs, columns], means [groups, columns]. */
export function biasShift(
  { groups, outputs, columns }: Pick<MatrixView, "groups" | "outputs" | "columns">,
  weight: ArrayLike<number>,
  rounded: ArrayLike<number>,
  mean: ArrayLike<number>,
  quantizedMean: ArrayLike<number>,
): Float64Array {
  const shift = new Float64Array(groups * outputs);
  for (let row = 0; row < shift.length; row++) {
    const [at, group] = [row * columns, Math.floor(row / outputs) * columns];
    let sum = 0;
    for (let k = 0; k < columns; k++) {
      sum += weight[at + k]! * mean[group + k]! - rounded[at + k]! * quantizedMean[group + k]!;
    }
    shift[row] = sum;
  }
  return shift;
}

/**
 * The mean of all patches of an input, [groups, columns]. A convolution is linear, so the mean input of all samples has
 * the mean patch of all samples: one pass over one input instead of all.
 */
export function meanPatch(layer: MatrixLayer, input: Tensor): Float64Array {
  const { groups, columns } = layer.matrix;
  const geometry = patchGeometry(layer, input.shape);
  const patch = new Float32Array(groups * columns);
  const sums = new Float64Array(groups * columns);
  const data = input.floats();
  for (let sample = 0; sample < geometry.samples; sample++) {
    for (let position = 0; position < geometry.positions; position++) {
      geometry.copy(data, sample, position, patch, 0, columns);
      for (let i = 0; i < patch.length; i++) sums[i] = sums[i]! + patch[i]!;
    }
  }
  return sums.map((sum) => sum / (geometry.samples * geometry.positions));
}

/** Means over samples, kept in float64 for each shape of a sample apart: images may differ in size. */
export class MeanInput {
  readonly #sums = new Map<string, { shape: readonly number[]; sum: Float64Array; samples: number }>();

  /** Takes [samples, …]. */
  see(batch: Tensor): void {
    const [samples = 1, ...rest] = batch.shape;
    const size = sizeOf(rest);
    const key = rest.join();
    const found = this.#sums.get(key) ?? { shape: [1, ...rest], sum: new Float64Array(size), samples: 0 };
    const data = batch.floats();
    for (let n = 0; n < samples; n++) {
      for (let i = 0, at = n * size; i < size; i++, at++) found.sum[i] = found.sum[i]! + data[at]!;
    }
    found.samples += samples;
    this.#sums.set(key, found);
  }

  /** The mean patch over every position of every sample. */
  patch(layer: MatrixLayer): Float64Array {
    const all = new Float64Array(layer.matrix.groups * layer.matrix.columns);
    let weights = 0;
    for (const { shape, sum, samples } of this.#sums.values()) {
      const mean = Tensor.float32(
        shape,
        Float32Array.from(sum, (value) => value / samples),
      );
      const weight = samples * patchGeometry(layer, shape).positions;
      meanPatch(layer, mean).forEach((value, i) => {
        all[i] = all[i]! + value * weight;
      });
      weights += weight;
    }
    return all.map((value) => value / weights);
  }
}
