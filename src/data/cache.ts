/** Samples kept in memory up to a budget, since methods read the same data many times. */
import type { Feeds } from "../tensor/inner.ts";
import { type IndexedDataset, traitsOf } from "./dataset.ts";
import { indexedDataset } from "./indexed.ts";
import { gatherFeeds, joinFeeds } from "./rows.ts";

/**
 * Things by number, within a budget of bytes. What came first stays: data is read in the same order again and again,
 * where dropping the least recently used would drop everything just before it is needed.
 */
export class Kept<T> {
  readonly #kept = new Map<number, T>();
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  get(index: number): T | undefined {
    return this.#kept.get(index);
  }

  /** Keeps it if there is room. */
  offer(index: number, bytes: number, make: () => T): void {
    if (bytes > this.#left || this.#kept.has(index)) return;
    this.#left -= bytes;
    this.#kept.set(index, make());
  }
}

/** The same data, with samples kept in memory as far as `bytes` reach. (Images are kept smaller by `openData`.) */
export function cached(dataset: IndexedDataset, bytes: number): IndexedDataset {
  const kept = new Kept<Feeds>(bytes);
  const keep = (indices: readonly number[], feeds: Feeds) => {
    const total = Object.values(feeds).reduce((sum, tensor) => sum + tensor.byteLength, 0);
    indices.forEach((index, row) => {
      kept.offer(index, total / indices.length, () => gatherFeeds(feeds, [row], axes));
    });
  };
  const { count, source, axes } = dataset;
  return indexedDataset({
    count,
    source,
    ...traitsOf(dataset),
    async read(indices, signal) {
      const absent = indices.filter((index) => !kept.get(index));
      if (absent.length === indices.length) {
        const feeds = await dataset.read(indices, signal);
        keep(indices, feeds);
        return feeds;
      }
      const fresh = absent.length > 0 ? await dataset.read(absent, signal) : {};
      keep(absent, fresh);
      let next = 0;
      const rows = indices.map((index) => {
        const found = absent[next] === index ? undefined : kept.get(index);
        return found ?? gatherFeeds(fresh, [next++], axes);
      });
      return joinFeeds(rows, source, axes);
    },
  });
}
