/** What calibration saw of each value, as plain data for reports. */

/** Bins of one width, from `left` on. */
interface Bins {
  readonly left: number;
  readonly width: number;
  readonly counts: Float64Array;
}

/** `counts[i]` numbers lie in [left + i · width, left + (i + 1) · width). */
export interface CoarseHistogram {
  readonly left: number;
  readonly width: number;
  readonly counts: readonly number[];
}

export interface ValueStatistics {
  readonly value: string;
  readonly min: number;
  readonly max: number;
  /** Numbers seen; samples where the scheme reduces inside the graph. */
  readonly count: number;
  /** Between 128 and 256 bins over the observed range; null where the scheme reduces inside the graph. */
  readonly histogram: CoarseHistogram | null;
}

/** The histogram with neighbours merged until at most 256 bins hold everything. */
export function coarsen(histogram: Bins): CoarseHistogram {
  const { left, width, counts } = histogram;
  const first = counts.findIndex((count) => count > 0);
  const last = counts.findLastIndex((count) => count > 0);
  if (first < 0) return { left, width, counts: [] };
  const factor = 2 ** Math.max(0, Math.ceil(Math.log2((last - first + 1) / 256)));
  const merged: number[] = new Array(Math.ceil((last - first + 1) / factor)).fill(0);
  for (let i = first; i <= last; i++) merged[Math.floor((i - first) / factor)]! += counts[i]!;
  return { left: left + first * width, width: width * factor, counts: merged };
}
