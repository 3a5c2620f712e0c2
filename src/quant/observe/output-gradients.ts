/**
 * How values move the outputs of a model: vector-Jacobian products Jᵀu over samples, with u of random signs. The expectation of
 * (Jᵀu)² is the diagonal of JᵀJ (Hutchinson, 1989), which for a squared error of the outputs is the Fisher diagonal that BRECQ
 * weighs blocks by (Li et al., 2021, eq. 10), without labels.
 */
import { differentiate, Emitter } from "../../autodiff/inner.ts";
import { type Random, throwIfAborted, type Work } from "../../base/inner.ts";
import type { Dataset } from "../../data/inner.ts";
import { cloneModel, type Model, type TensorType, type Value } from "../../ir/inner.ts";
import { defaultOpset, upgradeOpset } from "../../passes/inner.ts";
import {
  batchForBytes,
  feedsFor,
  firstSample,
  fixedBatch,
  pacer,
  type Runtime,
  type Session,
  type SessionOptions,
  traceShapes,
} from "../../runtime/inner.ts";
import { type Feeds, type Shape, sizeOf, Tensor } from "../../tensor/inner.ts";

export interface OutputGradientOptions extends Work {
  readonly random: Random;
  /** Which values are the outputs; they must be float32. */
  readonly outputs: (model: Model, types: ReadonlyMap<string, TensorType>) => readonly Value[];
  /** What is fetched of a value and its gradient, as values of the graph. */
  readonly fetch: (emitter: Emitter, value: Value, gradient: Value) => readonly Value[];
  /** What inputs that `fetch` has added are fed in the next run. */
  readonly added?: () => Feeds;
  /** How many samples are enough, given the numbers that the watched values have for one. */
  readonly most: (numbers: number) => number;
  /** Whether errors of each output count relative to its own size (its root mean square in the first batch). Default false. */
  readonly relative?: boolean;
  readonly session?: SessionOptions | undefined;
}

/**
 * What was asked for of each of these values, batch by batch; values that the outputs do not depend on are left out. Only batches
 * whose shapes are those of the first take part, as a gradient holds for its lengths, and only whole ones. Throws `autodiff/no-gradient`
 * where an operator on the way has none.
 */
export async function* outputGradients(
  given: Model,
  names: readonly string[],
  runtime: Runtime,
  data: Dataset,
  options: OutputGradientOptions,
): AsyncGenerator<ReadonlyMap<string, readonly Tensor[]>> {
  const { signal, random, outputs: outputsOf, fetch, added = () => ({}), most, relative = false } = options;
  const model = cloneModel(given);
  upgradeOpset(model, Math.max(model.opset, defaultOpset));
  const { graph } = model;
  const { batch, first, types } = await wholeBatch(model, data, runtime, fixedBatch(given, data.axes), signal);
  const byName = graph.valuesByName();
  const values = names
    .map((name) => byName.get(name)!)
    .filter((value) => (types.get(value.name)?.shape?.length ?? 0) > 1);
  const numbers = values.reduce((sum, value) => sum + sizeOf(types.get(value.name)!.shape as Shape), 0) / batch;
  const outputs = outputsOf(model, types);
  const seeds = outputs.map((value) => ({
    value,
    seed: graph.addInput(`sign_of_${value.name}`, types.get(value.name)!),
  }));
  const gradients = differentiate(
    model,
    seeds.map(({ value, seed }) => ({ value, gradient: seed })),
    values,
    { types },
  );
  const emitter = new Emitter(graph, types);
  const fetched = new Map<string, readonly string[]>();
  graph.setOutputs(relative ? outputs : []);
  for (const [value, gradient] of gradients) {
    // An output may not be an input as well, and may be named once only.
    const wanted = fetch(emitter, value, gradient).map((one) => emitter.op("Identity", [one]));
    for (const one of wanted) graph.addOutput(one);
    fetched.set(
      value.name,
      wanted.map(({ name }) => name),
    );
  }
  const wanted = [...fetched.values()].flat();
  if (wanted.length === 0) return;
  const signs = (size: (output: Value) => number): Feeds =>
    Object.fromEntries(
      seeds.map(({ value, seed }) => {
        const shape = types.get(value.name)!.shape as Shape;
        const step = size(value);
        const u = Float32Array.from({ length: sizeOf(shape) }, () => (random.uint32() & 1 ? step : -step));
        return [seed.name, Tensor.float32(shape, u)];
      }),
    );
  await using session = await runtime.open(model, options.session);
  const feedsOf = (feeds: Feeds, step: (output: Value) => number) => ({
    ...feedsFor(given, feeds),
    ...signs(step),
    ...added(),
  });
  const sizes = relative
    ? await inverseSizes(
        session,
        feedsOf(first, () => 0),
        outputs,
      )
    : null;
  const pause = pacer();
  let seen = 0;
  for await (const { feeds, size } of data.batches(batch, signal)) {
    throwIfAborted(options);
    if (seen >= most(numbers)) break;
    if (size !== batch || !sameShapes(feeds, first)) continue;
    const results = await session.run(
      feedsOf(feeds, (output) => sizes?.get(output) ?? 1),
      wanted,
    );
    yield new Map([...fetched].map(([name, parts]) => [name, parts.map((part) => results[part]!)]));
    seen += size;
    options.onProgress?.({ step: "gradients", done: seen, total: null });
    await pause();
  }
}

/**
 * Bytes of all values of one run. A backward pass holds them and as much again of gradients; few samples at once stay in the caches, so that
 * more of them gained no time.
 */
const runBytes = 32 * 2 ** 20;

/** Samples a run, by what their values weigh, the first of them, and the types of a run of so many. */
async function wholeBatch(
  model: Model,
  data: Dataset,
  runtime: Runtime,
  fixed: number | null,
  signal: AbortSignal | undefined,
) {
  const one = await firstSample(data, signal, fixed ?? 1);
  const types = await traceShapes(model, runtime, one);
  let bytes = 0;
  for (const { outputs } of model.graph.nodes) {
    for (const { name } of outputs) bytes += 4 * sizeOf((types.get(name)?.shape ?? [0]) as Shape);
  }
  const batch = fixed ?? batchForBytes(model, one, bytes, runBytes);
  if (batch === (fixed ?? 1)) return { batch, first: one, types };
  const first = await firstSample(data, signal, batch);
  return { batch, first, types: await traceShapes(model, runtime, first) };
}

/** One over the root mean square of each output; 1 where it is zero or no number. */
async function inverseSizes(session: Session, feeds: Feeds, outputs: readonly Value[]): Promise<Map<Value, number>> {
  const names = outputs.map(({ name }) => name);
  const found = await session.run(feeds, names);
  return new Map(
    outputs.map((output) => {
      const numbers = found[output.name]!.floats();
      const size = Math.sqrt(numbers.reduce((sum, x) => sum + x * x, 0) / Math.max(numbers.length, 1));
      return [output, size > 0 && Number.isFinite(size) ? 1 / size : 1];
    }),
  );
}

function sameShapes(a: Feeds, b: Feeds): boolean {
  return Object.entries(a).every(([name, { shape }]) => `${shape}` === `${b[name]?.shape}`);
}
