/**
 * How much the squared error of each output of a layer counts at the outputs of the model: the sum over positions of E[(Jᵀu)²] with u of
 * random signs (see `outputGradients`). Sums over layers are then comparable: one unit of loss here is as bad as one there.
 */
import { AvocetError, Random, type Work } from "../base/inner.ts";
import type { Dataset } from "../data/inner.ts";
import type { MatrixLayer } from "../facts/inner.ts";
import type { Model } from "../ir/inner.ts";
import { outputGradients, scoresOf } from "../quant/inner.ts";
import type { Runtime } from "../runtime/inner.ts";

/** Samples that are enough for a sum over many positions. */
const enough = 128;

/** What all that gathers from data is given. */
export interface ImportanceOptions extends Work {
  readonly runtime: Runtime;
  readonly data: Dataset;
  readonly seed: number;
  readonly threads?: number | undefined;
  readonly batch?: number | undefined;
}

/** Share of the mean diagonal of second moments that is added to it: what hardly varies in the data may vary elsewhere. */
export const damping = 1e-3;

/** [outputs] of each layer by the name of the node's output; null where the model has no gradient, for the reason that comes with it. */
export async function outputImportance(
  model: Model,
  layers: readonly MatrixLayer[],
  { runtime, data, seed, threads, signal, onProgress }: ImportanceOptions,
): Promise<{ readonly of: ReadonlyMap<string, Float64Array> } | { readonly refused: string }> {
  const axis = new Map(layers.map(({ node }) => [node.output.name, node.op.startsWith("Conv") ? 1 : -1]));
  const sums = new Map<string, Float64Array>();
  let samples = 0;
  try {
    const batches = outputGradients(model, [...axis.keys()], runtime, data, {
      signal,
      onProgress,
      random: new Random(seed).fork("importance"),
      outputs: scoresOf,
      fetch: (e, value, gradient) => {
        const rank = e.shape(value).length;
        const own = (axis.get(value.name)! + rank) % rank;
        const others = e.ints(Array.from({ length: rank }, (_, i) => i).filter((i) => i !== own));
        return [e.op("ReduceSumSquare", [gradient, others], { keepdims: 0 }), e.op("Shape", [value])];
      },
      most: () => enough,
      relative: true,
      ...(threads ? { session: { threads } } : {}),
    });
    for await (const batch of batches) {
      let size = 0;
      for (const [name, [sum, shape]] of batch) {
        const part = sum!.floats();
        const total = sums.get(name) ?? new Float64Array(part.length);
        for (let c = 0; c < total.length; c++) total[c]! += part[c]!;
        sums.set(name, total);
        size = shape!.numbers()[0]!;
      }
      samples += size;
    }
  } catch (error) {
    if (AvocetError.is(error) && withoutGradient.has(error.code)) return { refused: error.message };
    throw error;
  }
  return { of: new Map([...sums].map(([name, total]) => [name, total.map((sum) => sum / Math.max(samples, 1))])) };
}

const withoutGradient: ReadonlySet<string> = new Set(["autodiff/no-gradient", "pass/unsupported", "runtime/load"]);

/** Weights of outputs; those that nothing depends on count a little, so that factors stay defined. */
export function importanceOf(
  given: Float64Array | null,
  weight: Float64Array,
  h: Float64Array,
  columns: number,
): Float64Array {
  const outputs = weight.length / columns;
  if (!given) {
    const variance = outputVariance(weight, h, columns);
    return new Float64Array(outputs).fill(1 / Math.max(variance, 1e-30));
  }
  const mean = given.reduce((sum, x) => sum + x, 0) / outputs;
  return given.map((x) => Math.max(x, 1e-4 * mean, 1e-30));
}

/** tr(W·H·Wᵀ): the variance of all outputs together. */
function outputVariance(weight: Float64Array, h: Float64Array, columns: number): number {
  let variance = 0;
  for (let at = 0; at < weight.length; at += columns) {
    for (let i = 0; i < columns; i++) {
      let sum = 0;
      for (let j = 0; j < columns; j++) sum += h[i * columns + j]! * weight[at + j]!;
      variance += weight[at + i]! * sum;
    }
  }
  return variance;
}
