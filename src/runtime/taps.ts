/**
 * Taps: chosen values of a model, or reductions of them, over a stream of data. Nothing is kept; each run is short, so
 * that progress and Ctrl-C stay alive although a run blocks the thread.
 */
import { throwIfAborted, type Work } from "../base/inner.ts";
import type { Dataset } from "../data/inner.ts";
import { extract, type Model, type Value } from "../ir/inner.ts";
import type { Feeds, Tensor } from "../tensor/inner.ts";
import { batchFor, expectFullBatch, firstSample, fixedBatch } from "./batch-size.ts";
import { feedsFor } from "./feeds.ts";
import { pacer } from "./pace.ts";
import type { Reduction } from "./reductions.ts";
import type { Runtime, Session, SessionOptions } from "./runtime.ts";

export interface TapSpec {
  /** Values to fetch whole, by name. */
  readonly values?: readonly string[];
  /** Reductions by the name of the value that they read. */
  readonly reductions?: ReadonlyMap<string, Reduction>;
  /** What inputs that the reductions have added are fed in the next run, by the names that they got. */
  readonly added?: () => Feeds;
  readonly session?: SessionOptions;
}

export interface StreamOptions extends Work {
  /** Samples a run. Default: 1 to 8 by the sizes of inputs, results and weights, the same on every machine. */
  readonly batch?: number;
  /** Name of the step in progress events. Default "run". */
  readonly step?: string;
}

export interface Tapped {
  /** Index of the first sample, and how many there are. */
  readonly first: number;
  readonly size: number;
  /** What went in, under the names of the data. */
  readonly feeds: Feeds;
  /** The fetched values. */
  readonly values: Feeds;
  /** The results of the reductions, in the order in which the reduction returned them. */
  readonly reduced: ReadonlyMap<string, readonly Tensor[]>;
}

/** A session that computes the tapped values and nothing else; dispose it (`await using`). */
export interface Taps extends AsyncDisposable {
  /** From the first sample to the last, again at each call. Abort throws `abort/interrupted`. */
  stream(data: Dataset, options?: StreamOptions): AsyncIterable<Tapped>;
}

/** Opens taps on a copy of the model. Throws `graph/not-found` for unknown names, and what the door throws. */
export async function openTaps(model: Model, runtime: Runtime, spec: TapSpec): Promise<Taps> {
  const values = [...new Set(spec.values ?? [])];
  const reductions = spec.reductions ?? new Map<string, Reduction>();
  const part = extract(model, [...new Set([...values, ...reductions.keys()])]);
  const { graph } = part;
  const byName = new Map<string, Value>(graph.outputs.map((value) => [value.name, value]));
  const outputs = new Map<string, string[]>();
  const kept = values.map((name) => byName.get(name)!);
  // Reductions of the last value first: ONNX Runtime then runs each right behind what it reads (see traceShapes).
  const order = new Map([...graph.values()].map((value, i) => [value.name, i]));
  const lastFirst = [...reductions].sort(([a], [b]) => order.get(b)! - order.get(a)!);
  for (const [name, reduction] of lastFirst) {
    const made = reduction(graph, byName.get(name)!, part.opset);
    outputs.set(
      name,
      made.map((value) => value.name),
    );
    kept.push(...made);
  }
  graph.setOutputs(kept);
  const session = await runtime.open(part, spec.session);
  return new OpenTaps(part, session, values, outputs, spec.added ?? (() => ({})));
}

class OpenTaps implements Taps {
  readonly #part: Model;
  readonly #session: Session;
  readonly #values: readonly string[];
  readonly #reduced: ReadonlyMap<string, readonly string[]>;
  readonly #added: () => Feeds;
  #batch: number | null = null;

  constructor(
    part: Model,
    session: Session,
    values: readonly string[],
    reduced: ReadonlyMap<string, readonly string[]>,
    added: () => Feeds,
  ) {
    this.#part = part;
    this.#session = session;
    this.#values = values;
    this.#reduced = reduced;
    this.#added = added;
  }

  async *stream(data: Dataset, options: StreamOptions = {}): AsyncIterable<Tapped> {
    const { signal, onProgress, step = "run" } = options;
    const fixed = fixedBatch(this.#part, data.axes);
    const size = fixed ?? options.batch ?? (await this.#chooseBatch(data, signal));
    const pause = pacer();
    let done = 0;
    for await (const batch of data.batches(size, signal)) {
      throwIfAborted(options);
      expectFullBatch(fixed, batch.size, data);
      const results = await this.#session.run(this.#feeds(batch.feeds));
      const reduced = new Map<string, Tensor[]>();
      for (const [name, outputs] of this.#reduced)
        reduced.set(
          name,
          outputs.map((output) => results[output]!),
        );
      const values: Record<string, Tensor> = {};
      for (const name of this.#values) values[name] = results[name]!;
      yield { first: batch.first, size: batch.size, feeds: batch.feeds, values, reduced };
      done += batch.size;
      onProgress?.({ step, done, total: data.count });
      await pause();
    }
    throwIfAborted(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }

  /** Once per session: the sizes of one sample speak for all. */
  async #chooseBatch(data: Dataset, signal: AbortSignal | undefined): Promise<number> {
    if (this.#batch === null) {
      const sample = this.#feeds(await firstSample(data, signal));
      this.#batch = batchFor(this.#part, sample, await this.#session.run(sample));
    }
    return this.#batch;
  }

  #feeds(feeds: Feeds): Feeds {
    return feedsFor(this.#part, feeds, this.#added());
  }
}
