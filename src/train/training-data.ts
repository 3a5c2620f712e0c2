/** Data to train on: samples with their targets, to be read in any order, in bounded memory. */
import { AvocetError } from "../base/inner.ts";
import {
  alignLabels,
  cached,
  type Dataset,
  fromTensors,
  type IndexedDataset,
  indexedDataset,
  isIndexed,
  joinFeeds,
  type Labels,
  traitsOf,
} from "../data/inner.ts";
import { type Feeds, Tensor } from "../tensor/inner.ts";

/** Samples with labels as one more tensor, int64: [N] classes, or [N, height, width] classes of pixels. */
export function labelled(data: IndexedDataset, labels: Labels, target = "labels"): IndexedDataset {
  const own = alignLabels(labels, data);
  return indexedDataset({
    count: data.count,
    source: data.source,
    ...traitsOf(data),
    read: async (indices, signal) => ({ ...(await data.read(indices, signal)), [target]: labelTensor(own, indices) }),
  });
}

function labelTensor(labels: Labels, indices: readonly number[]): Tensor {
  if (labels.kind === "classes")
    return Tensor.int64(
      [indices.length],
      indices.map((index) => labels.at(index)),
    );
  const flat = new BigInt64Array(indices.length * labels.height * labels.width);
  indices.forEach((index, i) => {
    flat.set(BigInt64Array.from(labels.at(index), BigInt), i * labels.height * labels.width);
  });
  return Tensor.of("int64", [indices.length, labels.height, labels.width], flat);
}

/**
 * The data with random access. What can be read by number keeps samples in memory up to `bytes` and reads the others again
 * each time; a stream must fit whole (`data/too-large`), since nothing can be drawn from its end without reading to there.
 */
export async function shuffled(data: Dataset, bytes: number, signal?: AbortSignal): Promise<IndexedDataset> {
  if (isIndexed(data)) return cached(data, bytes);
  const parts: Feeds[] = [];
  let held = 0;
  for await (const { feeds, first } of data.batches(16, signal)) {
    for (const tensor of Object.values(feeds)) held += tensor.byteLength;
    if (held > bytes) {
      throw new AvocetError("data/too-large", `expected at most ${bytes} bytes, sample ${first} goes beyond`, {
        at: data.source,
        hint: "give data that can be read by number (files, arrays), or allow more memory",
      });
    }
    parts.push(feeds);
  }
  const { axes, source } = data;
  return fromTensors(joinFeeds(parts, source, axes), { source, ...(axes && { axes }) });
}
