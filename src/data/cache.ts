/** Samples kept in memory up to a budget, since methods read the same data many times. */
import type { Feeds } from "../tensor/index.ts";
import type { IndexedDataset } from "./dataset.ts";
import { indexedDataset } from "./indexed.ts";
import { gatherRows, joinFeeds, mapFeeds } from "./rows.ts";

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

/** The same data, with samples kept in memory as far as `bytes` reach. (Pictures are kept smaller by `openData`.) */
export function cached(dataset: IndexedDataset, bytes: number): IndexedDataset {
  const kept = new Kept<Feeds>(bytes);
  const { count, source, origin } = dataset;
  return indexedDataset({
    count,
    source,
    ...(origin && { origin }),
    async read(indices, signal) {
      const absent = indices.filter((index) => !kept.get(index));
      if (absent.length === indices.length) {
        const feeds = await dataset.read(indices, signal);
        keep(kept, indices, feeds);
        return feeds;
      }
      const fresh = absent.length > 0 ? await dataset.read(absent, signal) : {};
      keep(kept, absent, fresh);
      let next = 0;
      const rows = indices.map((index) => {
        const found = absent[next] === index ? undefined : kept.get(index);
        return found ?? rowOf(fresh, next++);
      });
      return joinFeeds(rows, source);
    },
  });
}

function keep(kept: Kept<Feeds>, indices: readonly number[], feeds: Feeds): void {
  let bytes = 0;
  for (const tensor of Object.values(feeds)) bytes += tensor.byteLength / tensor.shape[0]!;
  indices.forEach((index, row) => {
    kept.offer(index, bytes, () => rowOf(feeds, row));
  });
}

const rowOf = (feeds: Feeds, row: number): Feeds => mapFeeds(feeds, (tensor) => gatherRows(tensor, [row]));
