/** How sure scores are, and the difference of two on the same samples. */
import { bootstrapInterval, type Interval, mcNemar, pairedInterval, wilsonInterval } from "../confidence.ts";
import { lossOf, type Metric, type Tally } from "./metric.ts";

/** Where the score of all such data lies in 95 of 100 cases; null where the metric does not say, or a score is infinite. */
export function scoreInterval({ tally }: Pick<Metric, "tally">): Interval | null {
  if (!tally || tally.rows.length === 0) return null;
  if (!tally.isShare) return finite(bootstrapInterval(tally.rows, (sums) => tally.score(sums)));
  return wilsonInterval(hitsOf(tally.rows), tally.rows.length);
}

export interface PairedScores {
  /** 95 % interval of what the second loses against the first: below zero it is better. */
  readonly interval: Interval;
  /** For shares: the chance of such a difference between models that are equally good (McNemar). */
  readonly p: number | null;
}

/** How sure the difference of two scores on the same samples is; null where the metrics do not say. */
export function pairedScores(first: Metric, second: Metric): PairedScores | null {
  const [a, b] = [first.tally, second.tally];
  if (!a || !b || a.rows.length === 0 || a.rows.length !== b.rows.length) return null;
  if (!a.isShare || !b.isShare) {
    const width = a.rows[0]!.length;
    const rows = a.rows.map((row, i) => [...Array.from(row), ...Array.from(b.rows[i]!)]);
    const figure = (sums: Float64Array) =>
      lossOf(first, a.score(sums.subarray(0, width)), b.score(sums.subarray(width)));
    const interval = finite(bootstrapInterval(rows, figure));
    return interval && { interval, p: null };
  }
  const only = (one: Tally, other: Tally) => one.rows.filter((row, i) => row[0]! > other.rows[i]![0]!).length;
  const [onlyFirst, onlySecond] = [only(a, b), only(b, a)];
  const p = mcNemar(onlyFirst, onlySecond);
  const count = a.rows.length;
  if (first.better === "lower") return { interval: pairedInterval(onlySecond, onlyFirst, count), p };
  return { interval: pairedInterval(onlyFirst, onlySecond, count), p };
}

/** Equal signals have an infinite ratio: no interval of such scores says anything. */
function finite(interval: Interval): Interval | null {
  return interval.every(Number.isFinite) ? interval : null;
}

function hitsOf(rows: readonly ArrayLike<number>[]): number {
  return rows.reduce((sum, row) => sum + row[0]!, 0);
}
