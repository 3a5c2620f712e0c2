/** Samples for calibration and evaluation: always re-iterable, never kept. */
import type { Feeds } from "../tensor/index.ts";

export interface Batch {
  /** One tensor per model input; samples on the first axis. */
  readonly feeds: Feeds;
  /** Index of the first sample of this batch in the dataset. */
  readonly first: number;
  /** How many samples. */
  readonly size: number;
}

export interface Origin {
  /** Samples of the whole; null when unknown. */
  readonly count: number | null;
  /** The number that sample `index` of the part has in the whole. */
  of(index: number): number;
}

export interface Dataset {
  /** Samples in all; null when only iterating tells. */
  readonly count: number | null;
  /** For messages and reports: where the data came from. */
  readonly source: string;
  /** From the start each time. Every batch has `size` samples but for the last. Abort through the signal. */
  batches(size: number, signal?: AbortSignal): AsyncIterable<Batch>;
  /** For a part of other data: where its samples are there, so that labels given for the whole can follow. */
  readonly origin?: Origin;
}

/** Data whose samples can be read by number, in any order: everything that is opened from files, and arrays. */
export interface IndexedDataset extends Dataset {
  readonly count: number;
  /** The samples with these numbers, stacked on the first axis in the order asked for. */
  read(indices: readonly number[], signal?: AbortSignal): Promise<Feeds>;
}

/** A model's input as data is checked against it; runtime ports and graph inputs fit. */
export interface InputPort {
  readonly name: string;
  readonly dtype: string | null;
  /** Lengths; a string names a dynamic one, null is unknown. The first axis counts samples. */
  readonly shape: readonly (number | string | null)[] | null;
}
