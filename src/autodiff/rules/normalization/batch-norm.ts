/** Batch normalization (Ioffe and Szegedy, 2015), with fixed statistics or with those of the batch. */
import { batchStatistics, type Channels, channelsOf } from "../../batch-statistics.ts";
import type { Backward, InputGradients } from "../../rule.ts";

/** y = γ · x̂ + β with x̂ = (x − μ) / √(σ² + ε); in training μ and σ² are those of the batch and depend on x. */
export function batchNorm(b: Backward): InputGradients {
  const channels = channelsOf(b, b.shapeOf(0), b.node.float("epsilon", 1e-5));
  return b.node.int("training_mode", 0) !== 0 ? ofBatch(b, channels) : fixed(b, channels);
}

/**
 * With p = mean(dy · x̂): dγ = n · p, dβ = n · mean(dy), dx = γ / σ · (dy − mean(dy) − x̂ · p). As large as x are only the
 * products that are averaged, and dx = gain · dy + k · x + shift with three numbers a channel.
 */
function ofBatch(b: Backward, channels: Channels): InputGradients {
  const { dy } = b;
  const x = b.input(0);
  const { mean, variance } = batchStatistics(b, x, channels);
  const inverse = channels.inverse(variance);
  const meanDy = channels.mean(dy);
  const p = b.mul(inverse, b.sub(channels.mean(b.mul(dy, x)), b.mul(mean, meanDy)));
  const toInput = () => {
    const gain = b.mul(b.input(1), inverse);
    const k = b.neg(b.mul(gain, b.mul(inverse, p)));
    const shift = b.neg(b.add(b.mul(gain, meanDy), b.mul(k, mean)));
    return b.add(b.add(b.mul(x, channels.wide(k)), channels.wide(shift)), b.mul(dy, channels.wide(gain)));
  };
  return [
    b.wants(0) ? toInput() : null,
    b.wants(1) ? b.mul(p, channels.count) : null,
    b.wants(2) ? b.mul(meanDy, channels.count) : null,
  ];
}

function fixed(b: Backward, { wide, sum, inverse }: Channels): InputGradients {
  const { dy } = b;
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
