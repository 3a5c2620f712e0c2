/** Mean and deviation of each channel over a batch, as batch norms in training form need them forward and backward. */
import type { Value } from "../ir/inner.ts";
import { type Shape, sizeOf } from "../tensor/inner.ts";
import type { Emitter } from "./emitter.ts";

/** Numbers per channel of one value [N, C, …]. */
export interface Channels {
  /** [C] as [1, C, 1, …], which broadcasts against the value. */
  wide(value: Value): Value;
  /** Mean over all axes but the channels, [C]. */
  mean(value: Value): Value;
  sum(value: Value): Value;
  /** 1 / √(variance + ε). */
  inverse(variance: Value): Value;
  /** Elements that share a channel. */
  readonly count: number;
}

export function channelsOf(e: Emitter, shape: Shape, epsilon: number): Channels {
  const axes = shape.map((_, axis) => axis).filter((axis) => axis !== 1);
  const narrow = shape.map((length, axis) => (axis === 1 ? length : 1));
  return {
    wide: (value) => e.reshape(value, narrow),
    mean: (value) => e.mean(value, axes),
    sum: (value) => e.sum(value, axes),
    inverse: (variance) => e.op("Reciprocal", [e.op("Sqrt", [e.add(variance, e.scalar(epsilon))])]),
    count: sizeOf(shape) / shape[1]!,
  };
}

/**
 * Mean and variance [C] in two passes over x: E[x²] − E[x]². Rounding makes the variance wrong by about 1e-7 · (mean² +
 * variance), and never negative here. Forward and backward write it alike, so that sharing equal subexpressions leaves one.
 */
export function batchStatistics(e: Emitter, x: Value, { mean }: Channels): { mean: Value; variance: Value } {
  const m = mean(x);
  return { mean: m, variance: e.op("Relu", [e.sub(mean(e.square(x)), e.square(m))]) };
}
