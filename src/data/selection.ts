/** Parts of data: so many samples spread evenly, the first few, every k-th, or all but those. Order is kept. */
import { AvocetError, expectArguments, throwIfAborted } from "../base/inner.ts";
import { type Batch, type Dataset, type IndexedDataset, traitsOf } from "./dataset.ts";
import { checkedSize, indexedDataset, isIndexed } from "./indexed.ts";
import { rebatch } from "./rebatch.ts";
import { gatherFeeds } from "./rows.ts";

export interface Selection {
  /** As the user wrote it. */
  readonly text: string;
  /** Whether sample `index` of `count` belongs to the part; `count` is 0 where it is not needed and unknown. */
  has(index: number, count: number): boolean;
  /** Nothing from this number on belongs to the part. */
  readonly end: number;
  readonly needsCount: boolean;
}

const forms = "all, N (spread evenly), first:N, skip:N, every:K or except-every:K";

/**
 * Reads a selection: `N` is N samples spread evenly (numbers ⌊i·count/N⌋), `first:N` and `skip:N` cut, `every:K` is
 * samples 0, K, 2K …, `except-every:K` the others, `all` everything. Throws `usage/bad-value`.
 */
export function parseSelection(spec: string | number): Selection {
  const text = String(spec).trim();
  const found = /^(?:(first|skip|every|except-every):)?(\d+)$/.exec(text);
  const n = Number(found?.[2]);
  if (text === "all") return { text, has: () => true, end: Number.POSITIVE_INFINITY, needsCount: false };
  if (!found || !Number.isSafeInteger(n) || (n < 1 && found[1] !== "skip")) {
    throw new AvocetError("usage/bad-value", `expected ${forms}, got "${text}"`, {
      at: "samples",
      hint: "for example 200 or first:200",
    });
  }
  const plain = { text, end: Number.POSITIVE_INFINITY, needsCount: false };
  switch (found[1]) {
    case "first":
      return { ...plain, has: (index) => index < n, end: n };
    case "skip":
      return { ...plain, has: (index) => index >= n };
    case "every":
      return { ...plain, has: (index) => index % n === 0 };
    case "except-every":
      return { ...plain, has: (index) => index % n !== 0 };
    default:
      return { ...plain, has: (index, count) => isSpread(index, count, n), needsCount: true };
  }
}

/** Whether index = ⌊i·count/n⌋ for some i below n. */
function isSpread(index: number, count: number, n: number): boolean {
  if (n >= count) return true;
  const i = Math.ceil((index * n) / count);
  return i < n && Math.floor((i * count) / n) === index;
}

/** The numbers of a part of `count` samples. Throws `data/none` when it is empty. */
export function selectedIndices(selection: Selection, count: number, at: string): number[] {
  const indices: number[] = [];
  for (let index = 0; index < Math.min(count, selection.end); index++) {
    if (selection.has(index, count)) indices.push(index);
  }
  if (indices.length === 0) {
    throw new AvocetError("data/none", `expected "${selection.text}" to choose a sample of ${count}, it chooses none`, {
      at,
    });
  }
  return indices;
}

/**
 * A part of the data (see `parseSelection`); parts of parts compose. Of a stream whose length nobody knows, `N` counts
 * the samples first.
 */
export function samples(dataset: IndexedDataset, spec: string | number | Selection): IndexedDataset;
export function samples(dataset: Dataset, spec: string | number | Selection): Dataset;
export function samples(dataset: Dataset, spec: string | number | Selection): Dataset {
  expectArguments("samples(data, which)", { data: [dataset, "dataset"] });
  const selection = typeof spec === "object" && spec !== null ? spec : parseSelection(spec);
  if (selection.text === "all") return dataset;
  if (!isIndexed(dataset)) return selectStream(dataset, selection);
  return choose(dataset, selectedIndices(selection, dataset.count, dataset.source));
}

/** The samples with these numbers, in this order. Throws `data/none`, `usage/bad-value`. */
export function choose(dataset: IndexedDataset, indices: readonly number[]): IndexedDataset {
  const outside = indices.find((index) => !(Number.isSafeInteger(index) && index >= 0 && index < dataset.count));
  if (outside !== undefined) {
    throw new AvocetError("usage/bad-value", `expected sample numbers below ${dataset.count}, got ${outside}`, {
      at: dataset.source,
    });
  }
  const { origin } = dataset;
  return indexedDataset({
    count: indices.length,
    source: dataset.source,
    ...traitsOf(dataset),
    read: (wanted, signal) =>
      dataset.read(
        wanted.map((i) => indices[i]!),
        signal,
      ),
    origin: {
      count: origin ? origin.count : dataset.count,
      of: (index) => (origin ? origin.of(indices[index]!) : indices[index]!),
    },
  });
}

function selectStream(dataset: Dataset, selection: Selection): Dataset {
  const known = dataset.count === null ? null : selectedIndices(selection, dataset.count, dataset.source);
  const positions: number[] = [];
  return {
    count: known?.length ?? null,
    source: dataset.source,
    ...traitsOf(dataset),
    batches: (size, signal) =>
      rebatch(chosenRows(dataset, selection, checkedSize(size), signal, positions), size, dataset.source, dataset.axes),
    origin: {
      count: dataset.origin ? dataset.origin.count : dataset.count,
      // Without a known count the numbers are learnt while iterating, always before the sample is handed out.
      of: (index) => {
        const number = (known ?? positions)[index]!;
        return dataset.origin ? dataset.origin.of(number) : number;
      },
    },
  };
}

async function* chosenRows(
  dataset: Dataset,
  selection: Selection,
  size: number,
  signal: AbortSignal | undefined,
  positions: number[],
): AsyncGenerator<Batch["feeds"]> {
  const count = dataset.count ?? (selection.needsCount ? await countSamples(dataset, size, signal) : 0);
  let seen = 0;
  for await (const { feeds, first, size: rows } of dataset.batches(size, signal)) {
    throwIfAborted({ signal });
    const kept: number[] = [];
    for (let row = 0; row < rows; row++) {
      if (selection.has(first + row, count)) {
        kept.push(row);
        positions[seen++] = first + row;
      }
    }
    if (kept.length > 0) yield gatherFeeds(feeds, kept, dataset.axes);
    if (first + rows >= selection.end) break;
  }
  if (seen === 0) {
    throw new AvocetError("data/none", `expected "${selection.text}" to choose a sample, it chooses none`, {
      at: dataset.source,
    });
  }
}

async function countSamples(dataset: Dataset, size: number, signal: AbortSignal | undefined): Promise<number> {
  let count = 0;
  for await (const batch of dataset.batches(size, signal)) count += batch.size;
  return count;
}
