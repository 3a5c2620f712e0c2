/** Batch norms in training form, written out: the statistics, which the backward pass computes too, and one affine per channel. */
import { batchStatistics, channelsOf, Emitter } from "../autodiff/inner.ts";
import type { Model, TensorType } from "../ir/inner.ts";
import { takeOver } from "../passes/inner.ts";

/** In place. `types` returns the shapes of what is normalised. */
export function expandBatchNorms(model: Model, types: ReadonlyMap<string, TensorType>): void {
  const emitter = new Emitter(model.graph, types);
  for (const node of [...model.graph.nodes]) {
    if (node.opName !== "BatchNormalization" || node.int("training_mode", 0) === 0) continue;
    const [x, gamma, beta, oldMean, oldVariance] = [0, 1, 2, 3, 4].map((i) => node.input(i)!);
    const e = emitter.at({ before: node });
    const channels = channelsOf(e, e.shape(x!), node.float("epsilon", 1e-5));
    const { mean, variance } = batchStatistics(e, x!, channels);
    const gain = e.mul(gamma!, channels.inverse(variance));
    const shift = e.sub(beta!, e.mul(mean, gain));
    const keep = node.float("momentum", 0.9);
    const renewed = (old: typeof x, now: typeof mean) => e.add(e.mul(old!, keep), e.mul(now, 1 - keep));
    const made = [
      () => e.add(e.mul(x!, channels.wide(gain)), channels.wide(shift)),
      () => renewed(oldMean, mean),
      () => renewed(oldVariance, variance),
    ];
    node.outputs.forEach((old, i) => {
      if (old.useCount > 0) takeOver(old, made[i]!());
    });
    model.graph.remove(node);
  }
}
