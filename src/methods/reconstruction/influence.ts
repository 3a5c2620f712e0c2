/**
 * How much each channel of a value moves the outputs of a model: the mean of (Jᵀu)² over samples and positions (see `outputGradients`).
 */
import { nearestFloats } from "../../analysis/inner.ts";
import { Random } from "../../base/inner.ts";
import type { Model } from "../../ir/inner.ts";
import { outputGradients } from "../../quant/inner.ts";
import type { MethodContext } from "../method.ts";

/** Samples that are enough for a mean over many positions. */
const most = 128;

/** One number a channel (axis 1), of mean one, for each of these values that has channels. */
export async function outputInfluence(
  model: Model,
  names: readonly string[],
  context: MethodContext,
): Promise<Map<string, Float32Array>> {
  const { runtime, data, signal, threads, seed } = context;
  const found = new Map<string, Float64Array>();
  const batches = outputGradients(model, names, runtime, data, {
    signal,
    random: new Random(seed).fork("influence"),
    outputs: ({ graph }, types) => [...new Set(graph.outputs.flatMap((value) => nearestFloats(value, types)))],
    fetch: (e, value, gradient) => {
      const axes = e.shape(value).map((_, axis) => axis);
      const others = e.ints(axes.filter((axis) => axis !== 1));
      return [e.op("ReduceSumSquare", [gradient, others], { keepdims: 0 })];
    },
    most: () => most,
    ...(threads ? { session: { threads } } : {}),
  });
  for await (const batch of batches) {
    for (const [name, [sum]] of batch) {
      const part = sum!.floats();
      const total = found.get(name) ?? new Float64Array(part.length);
      found.set(
        name,
        total.map((t, c) => t + part[c]!),
      );
    }
  }
  return new Map(
    [...found].flatMap(([name, total]) => {
      const mean = total.reduce((sum, x) => sum + x, 0) / total.length;
      return mean > 0 ? [[name, Float32Array.from(total, (x) => x / mean)] as const] : [];
    }),
  );
}
