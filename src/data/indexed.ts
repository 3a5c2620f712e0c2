/** Batches from data that is read by number, with one batch read ahead. */
import { AvocetError, throwIfAborted } from "../base/inner.ts";
import type { Feeds } from "../tensor/inner.ts";
import type { Batch, Dataset, IndexedDataset } from "./dataset.ts";
import { rebatch } from "./rebatch.ts";

/** Makes a dataset of a count and a way to read. Throws `data/none` when there is nothing. */
export function indexedDataset(parts: Omit<IndexedDataset, "batches">): IndexedDataset {
  const { count, source } = parts;
  if (count === 0) throw new AvocetError("data/none", "expected at least one sample, got none", { at: source });
  return {
    ...parts,
    batches(size, signal) {
      const { most = size, axes } = parts;
      if (checkedSize(size) <= most) return readAhead(parts, size, signal);
      // What may differ is read in small pieces, and neighbours that are alike become one batch.
      return rebatch(pieces(readAhead(parts, most, signal)), size, source, axes);
    },
  };
}

/** Whether samples can be read by number. */
export function isIndexed(dataset: Dataset): dataset is IndexedDataset {
  return "read" in dataset;
}

/** Throws `usage/bad-value` unless this can be the size of a batch. */
export function checkedSize(size: number): number {
  if (!Number.isSafeInteger(size) || size < 1) {
    throw new AvocetError("usage/bad-value", `expected a batch of at least 1, got ${size}`);
  }
  return size;
}

async function* readAhead(
  data: Pick<IndexedDataset, "count" | "read">,
  size: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Batch> {
  const begin = (first: number) => {
    if (first >= data.count) return null;
    const indices = Array.from({ length: Math.min(size, data.count - first) }, (_, i) => first + i);
    const feeds = data.read(indices, signal);
    // A failure is met when this batch is asked for; until then it must not count as unhandled.
    feeds.catch(() => {});
    return { feeds, first, size: indices.length };
  };
  let next = begin(0);
  while (next) {
    throwIfAborted({ signal });
    const { first, size: rows } = next;
    const feeds = await next.feeds;
    next = begin(first + rows);
    yield { feeds, first, size: rows };
  }
}

async function* pieces(batches: AsyncIterable<Batch>): AsyncGenerator<Feeds> {
  for await (const { feeds } of batches) yield feeds;
}
