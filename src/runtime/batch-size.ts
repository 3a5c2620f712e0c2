/**
 * How many samples go into one run: a run blocks the thread, so it must stay short (about 200 ms), and its results must
 * fit. The choice follows sizes, never the clock, because sums and averages over batches depend on it.
 */
import { AvocetError } from "../base/inner.ts";
import type { Dataset, SampleAxes } from "../data/inner.ts";
import type { Model } from "../ir/inner.ts";
import type { Feeds } from "../tensor/inner.ts";
import { fixedBatchOf, inputPorts } from "./input-ports.ts";

/** Bytes of inputs and results of one run: fetching copies them, which is faster while they fit into the caches. */
const runBytes = 8 * 2 ** 20;
/** Elements of the inputs of one run: eight images of 224 × 224, one of 512 × 1024. */
const runElements = 1.25e6;
/** Bytes of weights times samples: two images for a ResNet-50, one for anything larger. */
const runWeightBytes = 2.1e8;
/**
 * Measured per image, batch 1, 2, 4, 8, 16, 32: MobileNetV1-0.25 0.38, 0.36, 0.35, 0.37, 0.42, 0.51 ms (activations
 * leave the caches), ResNet-20 0.31, 0.25, 0.24, 0.23, 0.22, 0.22 ms.
 */
const mostSamples = 8;

/**
 * The batch that the model's inputs prescribe (a number on the axis that counts samples), or null when it is free. `axes` are
 * those of the data, where they are known.
 */
export function fixedBatch(model: Model, axes?: SampleAxes): number | null {
  return fixedBatchOf(inputPorts(model), axes);
}

/** Throws `data/wrong-shape` when the model wants `fixed` samples at once and the last batch has fewer. */
export function expectFullBatch(fixed: number | null, size: number, data: Dataset): void {
  if (fixed === null || size === fixed) return;
  throw new AvocetError("data/wrong-shape", `expected batches of ${fixed} samples, the last one has ${size}`, {
    at: data.source,
    hint: `the model has a fixed batch of ${fixed}: give a multiple of it`,
  });
}

/** The batch for a model, given one sample and what a run makes of it. */
export function batchFor(model: Model, sample: Feeds, results: Feeds): number {
  return batchForBytes(model, sample, bytesOf(results), runBytes);
}

/** The same where a run moves so many bytes for one sample, besides the sample itself, of the `most` that one run may move. */
export function batchForBytes(model: Model, sample: Feeds, moved: number, most = runBytes): number {
  let elements = 0;
  let weightBytes = 0;
  for (const tensor of Object.values(sample)) elements += tensor.size;
  for (const { initializer } of model.graph.initializers) weightBytes += initializer?.byteLength ?? 0;
  const samples = Math.min(
    mostSamples,
    runElements / Math.max(elements, 1),
    most / Math.max(moved + bytesOf(sample), 1),
    runWeightBytes / Math.max(weightBytes, 1),
  );
  return Math.max(1, Math.floor(samples));
}

function bytesOf(feeds: Feeds): number {
  return Object.values(feeds).reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** The feeds of the first sample alone, or of the first `count` for a model with a fixed batch. Throws `data/none`. */
export async function firstSample(data: Dataset, signal?: AbortSignal, count = 1): Promise<Feeds> {
  for await (const batch of data.batches(count, signal)) return batch.feeds;
  throw new AvocetError("data/none", "expected at least one sample, got none", { at: data.source });
}
