/** How many samples go into one run: a run blocks the thread, so it must stay short, and its results must fit. */
import { AvocetError, throwIfAborted } from "../base/index.ts";
import type { Dataset } from "../data/index.ts";
import type { Model } from "../ir/index.ts";
import type { Feeds } from "../tensor/index.ts";

/** Milliseconds that one run may take: short enough for Ctrl-C and progress, long beside the 1 ms between runs. */
const runMilliseconds = 150;
/** Bytes of inputs and results of one run. */
const runBytes = 64 * 2 ** 20;
/** Larger batches gave no more speed on any fixture, they only leave the caches. */
const mostSamples = 32;

/** The batch that the model's inputs prescribe (a number on the first axis), or null when it is free. */
export function fixedBatch(model: Model): number | null {
  for (const input of model.graph.inputs) {
    if (input.initializer || input.type?.kind !== "tensor") continue;
    const first = input.type.shape?.[0];
    if (typeof first === "number") return first;
  }
  return null;
}

/** Throws `data/wrong-shape` when the model wants `fixed` samples at once and the last batch has fewer. */
export function expectFullBatch(fixed: number | null, size: number, data: Dataset): void {
  if (fixed === null || size === fixed) return;
  throw new AvocetError("data/wrong-shape", `expected batches of ${fixed} samples, the last one has ${size}`, {
    at: data.source,
    hint: `the model has a fixed batch of ${fixed}: give a multiple of it`,
  });
}

/** Chooses the batch by running one sample, once per model and data. */
export class BatchChooser {
  readonly #run: (feeds: Feeds) => Promise<Feeds>;
  #chosen: number | null = null;

  constructor(run: (feeds: Feeds) => Promise<Feeds>) {
    this.#run = run;
  }

  /** Throws `data/none` when there is no sample at all. */
  async choose(data: Dataset, signal?: AbortSignal): Promise<number> {
    if (this.#chosen !== null) return this.#chosen;
    const feeds = await firstSample(data, signal);
    await this.#run(feeds);
    throwIfAborted({ signal });
    const start = performance.now();
    const results = await this.#run(feeds);
    const milliseconds = performance.now() - start;
    let bytes = 0;
    for (const tensor of [...Object.values(feeds), ...Object.values(results)]) bytes += tensor.byteLength;
    const most = Math.min(runMilliseconds / milliseconds, runBytes / Math.max(bytes, 1), mostSamples);
    this.#chosen = Math.max(1, Math.floor(most));
    return this.#chosen;
  }
}

/** The feeds of the first sample alone, or of the first `count` for a model with a fixed batch. Throws `data/none`. */
export async function firstSample(data: Dataset, signal?: AbortSignal, count = 1): Promise<Feeds> {
  for await (const batch of data.batches(count, signal)) return batch.feeds;
  throw new AvocetError("data/none", "expected at least one sample, got none", { at: data.source });
}
