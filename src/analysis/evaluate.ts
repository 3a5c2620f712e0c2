/** Runs models over data and lets metrics see their outputs. */
import { AvocetError, breathe, expectArguments, throwIfAborted, type Work } from "../base/index.ts";
import type { Dataset } from "../data/index.ts";
import { fixedBatchOf, type Session } from "../runtime/index.ts";
import type { Interval } from "./confidence.ts";
import { type Metric, scoreInterval } from "./metric.ts";

export interface EvaluateOptions extends Work {
  /** Samples a run (default 10; a model with a fixed batch keeps its own). */
  readonly batch?: number;
}

export interface Evaluation {
  readonly metric: string;
  /** A fraction. */
  readonly value: number;
  /** Where the score of all such data lies in 95 of 100 cases; null where the metric does not tell. */
  readonly interval: Interval | null;
  readonly samples: number;
  readonly seconds: number;
}

/** A session and the metric that judges it. */
export interface Judged {
  readonly session: Session;
  readonly metric: Metric;
}

/** The score of one session on the data. Throws `data/none` without samples. */
export async function evaluate(
  session: Session,
  data: Dataset,
  metric: Metric,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  expectArguments("evaluate(session, data, metric)", {
    session: [session, "session"],
    data: [data, "dataset"],
    metric: [metric, "metric"],
  });
  return (await evaluateAll([{ session, metric }], data, options))[0]!;
}

/** The scores of several sessions with the same inputs, side by side: samples are read and decoded once for all. */
export async function evaluateAll(
  judged: readonly Judged[],
  data: Dataset,
  options: EvaluateOptions = {},
): Promise<Evaluation[]> {
  const start = performance.now();
  let samples = 0;
  const sizes = judged.map(({ session }) => batchOf(session, options.batch ?? 10, data));
  for await (const batch of data.batches(Math.min(...sizes), options.signal)) {
    for (const { session, metric } of judged) {
      throwIfAborted(options);
      metric.see(await session.run(batch.feeds), batch.first, batch.size);
      await breathe();
    }
    samples += batch.size;
    options.onProgress?.({ step: "evaluate", done: samples, total: data.count });
  }
  if (samples === 0) throw new AvocetError("data/none", "expected at least one sample, got none", { at: data.source });
  const seconds = (performance.now() - start) / 1000;
  return judged.map(({ metric }) => ({
    metric: metric.name,
    value: metric.value(),
    interval: scoreInterval(metric),
    samples,
    seconds,
  }));
}

/** The batch a session takes: its own where the model fixes it on the axis that counts samples, else the wanted one. */
export function batchOf(session: Session, wanted: number, { axes }: Pick<Dataset, "axes">): number {
  return fixedBatchOf(session.inputs, axes) ?? wanted;
}
