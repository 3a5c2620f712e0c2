/** Samples for calibration and evaluation: always re-iterable, never kept. */
import type { Feeds } from "../tensor/inner.ts";

/**
 * The axis of each input on which samples lie, by name; null: the input is the same for all samples of a run. Absent
 * names have them on the first axis.
 */
export type SampleAxes = Readonly<Record<string, number | null>>;

export interface Batch {
  /** One tensor per model input; samples on the axes that the dataset names, else on the first. */
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

/**
 * Samples that can be read as often as they are wanted, batch by batch; nothing keeps them. `fromTensors`, `fromArray`, `fromIterable`
 * and `openData` make one, `samples` takes a part.
 *
 * @example
 * const data = fromIterable(() => recordings(), { count: 200, source: "microphone" }); // a function: data is read several times
 * for await (const { feeds, size } of data.batches(16)) console.log(size, Object.keys(feeds));
 */
export interface Dataset {
  /** Samples in all; null when only iterating shows it. */
  readonly count: number | null;
  /** For messages and reports: where the data came from. */
  readonly source: string;
  /** On which axes samples lie; absent: on the first of every input. */
  readonly axes?: SampleAxes;
  /** The most samples that are read at once, where samples may differ in shape or in what holds for all: then 1. Neighbours that are alike are joined. */
  readonly most?: number;
  /**
   * From the start each time. A batch has `size` samples, fewer at the end and where samples cannot be run together.
   * Abort through the signal.
   */
  batches(size: number, signal?: AbortSignal): AsyncIterable<Batch>;
  /** Samples with which a sequence of its own begins, as a file of audio does, by their numbers in the whole. Absent: all are one sequence. */
  readonly starts?: readonly number[];
  /** For a part of other data: where its samples are there, so that labels given for the whole can follow. */
  readonly origin?: Origin;
}

/** Data whose samples can be read by number, in any order: everything that is opened from files, and arrays. */
export interface IndexedDataset extends Dataset {
  readonly count: number;
  /** The samples with these numbers, stacked along the samples' axes in the order asked for. */
  read(indices: readonly number[], signal?: AbortSignal): Promise<Feeds>;
}

/** A model's input as data is checked against it; runtime ports and graph inputs fit. */
export interface InputPort {
  readonly name: string;
  readonly dtype: string | null;
  /** Lengths; a string names a dynamic one, null is unknown. */
  readonly shape: readonly (number | string | null)[] | null;
  /** The axis that counts samples; null: one tensor holds for all samples. Default 0 (null for a scalar). */
  readonly batch?: number | null;
  /** Whether a user named that axis: an array that can be read in two ways is then one of the model's own axes. */
  readonly batchNamed?: boolean;
  /** The number that fills this input for all samples; data need not have it. */
  readonly constant?: number;
}

/** What a dataset made from another one keeps of it. */
export function traitsOf({
  origin,
  axes,
  most,
  starts,
}: Dataset): Pick<Dataset, "origin" | "axes" | "most" | "starts"> {
  return {
    ...(origin && { origin }),
    ...(axes && { axes }),
    ...(most !== undefined && { most }),
    ...(starts && { starts }),
  };
}
