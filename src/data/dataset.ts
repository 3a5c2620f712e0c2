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

export interface Dataset {
  /** Samples in all; null when only iterating tells. */
  readonly count: number | null;
  /** For messages and reports: where the data came from. */
  readonly source: string;
  /** From the start each time. Every batch has `size` samples but for the last. Abort through the signal. */
  batches(size: number, signal?: AbortSignal): AsyncIterable<Batch>;
}
