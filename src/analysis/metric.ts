/** What a metric with labels is, and what it knows beside its score: how sure it is, and what guessing would reach. */
import { AvocetError } from "../base/index.ts";
import type { Feeds, Tensor } from "../tensor/index.ts";
import { bootstrapInterval, type Interval, mcNemar, pairedInterval, wilsonInterval } from "./confidence.ts";
import type { OutputMeaning } from "./output-meaning.ts";

export interface Metric {
  readonly name: string;
  /** Takes the outputs of one batch; `first` is the index of its first sample. */
  see(outputs: Feeds, first: number, size: number): void;
  /** The score so far, a fraction in 0 … 1; higher is better. */
  value(): number;
  /** From what intervals are told; absent: they cannot be. */
  readonly tally?: Tally;
}

/** A score as a function of what single samples add up to, in the order in which they were seen. */
export interface Tally {
  readonly rows: readonly ArrayLike<number>[];
  /** The score of as many samples whose rows add up to this. */
  score(sums: ArrayLike<number>): number;
  /** A row is one number: 1 (right) or 0. */
  readonly isShare: boolean;
  /** Classes of the model; null where its output does not tell. */
  classes(): number | null;
  /** What guessing would score. */
  guessing(): Guessing;
}

export interface Guessing {
  /** Each class with the same chance. */
  readonly chance: number;
  /** Always the commonest answer, which only who knows the labels can give; 0 where they are of one class. */
  readonly commonest: number;
}

export interface MetricOptions {
  /** The output that is judged. Default: the first. */
  readonly output?: string | undefined;
  /** What it holds. Default: what the metric expects, classes on axis 1. */
  readonly meaning?: OutputMeaning | undefined;
}

/** The judged output. Throws `usage/bad-value` where there is none of this name. */
export function judgedOutput(outputs: Feeds, name: string | undefined): Tensor {
  const found = name === undefined ? Object.values(outputs)[0] : outputs[name];
  if (found) return found;
  throw new AvocetError("usage/bad-value", `expected an output of the model, got "${name}"`, {
    hint: Object.keys(outputs).join(", "),
  });
}

/** Where the score of all such data lies in 95 of 100 cases; null where the metric does not tell. */
export function scoreInterval({ tally }: Metric): Interval | null {
  if (!tally || tally.rows.length === 0) return null;
  if (!tally.isShare) return bootstrapInterval(tally.rows, (sums) => tally.score(sums));
  return wilsonInterval(hitsOf(tally.rows), tally.rows.length);
}

export interface PairedScores {
  /** 95 % interval of the first score minus the second. */
  readonly interval: Interval;
  /** For shares: the chance of such a difference between models that are equally good (McNemar). */
  readonly p: number | null;
}

/** How sure the difference of two scores on the same samples is; null where the metrics do not tell. */
export function pairedScores(first: Metric, second: Metric): PairedScores | null {
  const [a, b] = [first.tally, second.tally];
  if (!a || !b || a.rows.length === 0 || a.rows.length !== b.rows.length) return null;
  if (!a.isShare || !b.isShare) {
    const width = a.rows[0]!.length;
    const rows = a.rows.map((row, i) => [...Array.from(row), ...Array.from(b.rows[i]!)]);
    const figure = (sums: Float64Array) => a.score(sums.subarray(0, width)) - b.score(sums.subarray(width));
    return { interval: bootstrapInterval(rows, figure), p: null };
  }
  const only = (one: Tally, other: Tally) => one.rows.filter((row, i) => row[0]! > other.rows[i]![0]!).length;
  const [onlyFirst, onlySecond] = [only(a, b), only(b, a)];
  return { interval: pairedInterval(onlyFirst, onlySecond, a.rows.length), p: mcNemar(onlyFirst, onlySecond) };
}

function hitsOf(rows: readonly ArrayLike<number>[]): number {
  return rows.reduce((sum, row) => sum + row[0]!, 0);
}
