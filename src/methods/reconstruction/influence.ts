/**
 * How much each channel of a value moves the outputs of a model: the mean of (Jᵀu)² over samples and places, with u of random
 * signs. Its expectation is the diagonal of JᵀJ (Hutchinson, 1989), which for a squared error of the outputs is the Fisher
 * diagonal that BRECQ weighs blocks by (Li et al., 2021, eq. 10), without labels.
 */
import { nearestFloats } from "../../analysis/inner.ts";
import { differentiate, Emitter } from "../../autodiff/inner.ts";
import { Random, throwIfAborted } from "../../base/inner.ts";
import { cloneModel, type Model, type Value } from "../../ir/inner.ts";
import { defaultOpset, upgradeOpset } from "../../passes/inner.ts";
import { batchFor, feedsFor, firstSample, pacer, traceShapes } from "../../runtime/inner.ts";
import { type Shape, sizeOf, Tensor } from "../../tensor/inner.ts";
import type { MethodContext } from "../method.ts";

/** Samples that are enough for a mean over many places. */
const most = 128;

/** One number a channel (axis 1), of mean one, for each of these values that has channels. */
export async function outputInfluence(
  model: Model,
  names: readonly string[],
  context: MethodContext,
): Promise<Map<string, Float32Array>> {
  const { runtime, data, signal, threads } = context;
  const copy = cloneModel(model);
  upgradeOpset(copy, Math.max(copy.opset, defaultOpset));
  const { graph } = copy;
  const one = await firstSample(data, signal);
  const batch = batchFor(copy, one, one);
  const [first] = await firstOf(data.batches(batch, signal));
  const types = await traceShapes(copy, runtime, first!.feeds);
  const byName = graph.valuesByName();
  const values = names
    .map((name) => byName.get(name)!)
    .filter((value) => (types.get(value.name)?.shape?.length ?? 0) > 1);
  const outputs = [...new Set(graph.outputs.flatMap((value) => nearestFloats(value, types)))];
  const seeds = outputs.map((value) => ({ value, gradient: graph.addInput(seedOf(value), types.get(value.name)!) }));
  const gradients = differentiate(copy, seeds, values, { types });
  const e = new Emitter(graph, types);
  const sums = new Map<string, string>();
  graph.setOutputs([]);
  for (const [value, gradient] of gradients) {
    const axes = e
      .shape(value)
      .map((_, axis) => axis)
      .filter((axis) => axis !== 1);
    const sum = e.op("ReduceSumSquare", [gradient, e.ints(axes)], { keepdims: 0 });
    graph.addOutput(sum);
    sums.set(value.name, sum.name);
  }
  const found = new Map<string, Float64Array>();
  const random = new Random(context.seed).fork("influence");
  const pause = pacer();
  await using session = await runtime.open(copy, threads ? { threads } : {});
  let seen = 0;
  for await (const { feeds, size } of data.batches(batch, signal)) {
    throwIfAborted(context);
    if (size !== batch || seen >= most) break;
    const signs = seeds.map(({ gradient }) => {
      const shape = types.get(gradient.name.slice(prefix.length))!.shape as Shape;
      const u = Float32Array.from({ length: sizeOf(shape) }, () => (random.uint32() & 1 ? 1 : -1));
      return [gradient.name, Tensor.float32(shape, u)] as const;
    });
    const results = await session.run({ ...feedsFor(model, feeds), ...Object.fromEntries(signs) });
    for (const [name, sum] of sums) {
      const part = results[sum]!.floats();
      const total = found.get(name) ?? new Float64Array(part.length);
      found.set(
        name,
        total.map((t, c) => t + part[c]!),
      );
    }
    seen += size;
    await pause();
  }
  return new Map(
    [...found].flatMap(([name, total]) => {
      const mean = total.reduce((sum, x) => sum + x, 0) / total.length;
      return mean > 0 ? [[name, Float32Array.from(total, (x) => x / mean)] as const] : [];
    }),
  );
}

const prefix = "sign_of_";

function seedOf(value: Value): string {
  return `${prefix}${value.name}`;
}

async function firstOf<T>(all: AsyncIterable<T>): Promise<T[]> {
  for await (const one of all) return [one];
  return [];
}
