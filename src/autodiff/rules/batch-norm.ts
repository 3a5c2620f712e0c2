/** Batch normalization (Ioffe and Szegedy, 2015), with fixed statistics or with those of the batch. */
import type { Value } from "../../ir/index.ts";
import { sizeOf } from "../../tensor/index.ts";
import type { Backward, InputGradients } from "../rule.ts";

/** y = γ · x̂ + β with x̂ = (x − μ) / √(σ² + ε); in training μ and σ² are those of the batch and depend on x. */
export function batchNorm(b: Backward): InputGradients {
  return b.node.int("training_mode", 0) !== 0 ? withBatchStatistics(b) : withFixedStatistics(b);
}

interface Channels {
  /** A number per channel, broadcastable against x. */
  wide(value: Value): Value;
  /** Mean over all axes but the channels, [C]. */
  mean(value: Value): Value;
  sum(value: Value): Value;
  /** Elements of x that share a channel. */
  readonly count: number;
  readonly inverse: (variance: Value) => Value;
}

function channelsOf(b: Backward): Channels {
  const shape = b.shapeOf(0);
  const axes = shape.map((_, axis) => axis).filter((axis) => axis !== 1);
  const narrow = shape.map((length, axis) => (axis === 1 ? length : 1));
  const epsilon = b.scalar(b.node.float("epsilon", 1e-5));
  return {
    wide: (value) => b.reshape(value, narrow),
    mean: (value) => b.mean(value, axes),
    sum: (value) => b.sum(value, axes),
    count: sizeOf(shape) / shape[1]!,
    inverse: (variance) => b.op("Reciprocal", [b.op("Sqrt", [b.add(variance, epsilon)])]),
  };
}

/**
 * With p = mean(dy · x̂): dγ = n · p, dβ = n · mean(dy), dx = γ / σ · (dy − mean(dy) − x̂ · p). All that is as large as x are the
 * two products that are averaged and dx = s · dy + k · x + c with three numbers a channel. The statistics are those that
 * the expanded forward pass computes, written alike, so that sharing equal subexpressions leaves one of each.
 */
function withBatchStatistics(b: Backward): InputGradients {
  const { dy } = b;
  const x = b.input(0);
  const { wide, mean, inverse, count } = channelsOf(b);
  const m = mean(x);
  const inv = inverse(b.sub(mean(b.square(x)), b.square(m)));
  const meanDy = mean(dy);
  const p = b.mul(inv, b.sub(mean(b.mul(dy, x)), b.mul(m, meanDy)));
  const toInput = () => {
    const gain = b.mul(b.input(1), inv);
    const k = b.neg(b.mul(gain, b.mul(inv, p)));
    const shift = b.neg(b.add(b.mul(gain, meanDy), b.mul(k, m)));
    return b.add(b.add(b.mul(x, wide(k)), wide(shift)), b.mul(dy, wide(gain)));
  };
  return [b.wants(0) ? toInput() : null, b.wants(1) ? b.mul(p, count) : null, b.wants(2) ? b.mul(meanDy, count) : null];
}

function withFixedStatistics(b: Backward): InputGradients {
  const { dy } = b;
  const { wide, sum, inverse } = channelsOf(b);
  const inv = inverse(b.input(4));
  const gain = b.mul(b.input(1), inv);
  const sumDy = sum(dy);
  // Σ dy · x̂ without a tensor for x̂.
  const along = () => b.mul(inv, b.sub(sum(b.mul(dy, b.input(0))), b.mul(b.input(3), sumDy)));
  return [
    b.wants(0) ? b.mul(dy, wide(gain)) : null,
    b.wants(1) ? along() : null,
    b.wants(2) ? sumDy : null,
    b.wants(3) ? b.neg(b.mul(gain, sumDy)) : null,
    b.wants(4) ? b.mul(b.mul(b.mul(gain, inv), along()), -0.5) : null,
  ];
}
