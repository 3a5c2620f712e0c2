/** Runs models over data and lets metrics see their outputs. */
import { AvocetError, breathe, expectArguments, throwIfAborted, type Work } from "../base/inner.ts";
import { type AnyLabels, alignLabels, type Batch, type Dataset, renumberedLabels } from "../data/inner.ts";
import { fixedBatchOf, type Session } from "../runtime/inner.ts";
import type { Feeds } from "../tensor/inner.ts";
import type { Interval } from "./confidence.ts";
import type { Examples } from "./examples.ts";
import { scoreInterval } from "./metrics/certainty.ts";
import type { BatchLabels, LabelKind, Metric } from "./metrics/metric.ts";

export interface EvaluateOptions extends Work {
  /** Samples a run (default 10; a model with a fixed batch keeps its own). */
  readonly batch?: number;
  /** What is true of each sample of the data, or of the whole that it is a part of. For metrics that need it. */
  readonly labels?: AnyLabels | undefined;
}

export interface Evaluation {
  readonly metric: string;
  /** "%": the value is a fraction. */
  readonly unit: string;
  readonly better: "higher" | "lower";
  readonly value: number;
  /** Where the score of all such data lies in 95 of 100 cases; null where the metric does not say. */
  readonly interval: Interval | null;
  readonly samples: number;
  readonly seconds: number;
}

/** A session and the metric that judges it. */
export interface Judged {
  readonly session: Session;
  readonly metric: Metric;
  /** The same samples as this model takes them, where they differ: what it feeds back are states of its own. Default: the data of all. */
  readonly data?: Dataset;
}

/**
 * The score of one session on the data. Throws `data/none` without samples, `data/labels` without the labels that the metric needs,
 * `usage/bad-value` for a metric that compares with the outputs of another session (`evaluateAll`).
 */
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
    options: [options, "object"],
  });
  return (await evaluateAll([{ session, metric }], data, options))[0]!;
}

/**
 * The scores of several sessions with the same inputs, next to each other: samples are read and decoded once for all. Metrics that
 * compare outputs with those of another model take those of the first session.
 */
export async function evaluateAll(
  judged: readonly Judged[],
  data: Dataset,
  options: EvaluateOptions & {
    /** Gathers what the two sessions answer for some samples. */
    readonly examples?: Examples;
  } = {},
): Promise<Evaluation[]> {
  const start = performance.now();
  let samples = 0;
  const truth = judged.map(({ metric }, i) => truthOf(metric, data, options.labels, i > 0 || judged.length > 1));
  const sizes = judged.map(({ session }) => batchOf(session, options.batch ?? 10, data));
  const size = Math.min(...sizes);
  const apart = judged.map((one) => one.data?.batches(size, options.signal)[Symbol.asyncIterator]());
  for await (const batch of data.batches(size, options.signal)) {
    const answers: Feeds[] = [];
    for (const [i, { session, metric }] of judged.entries()) {
      throwIfAborted(options);
      const own = await apart[i]?.next();
      if (own?.done) throw unequalData(judged[i]!.data!);
      const outputs = await session.run((own?.value ?? batch).feeds);
      answers.push(outputs);
      metric.see(outputs, batch.feeds, truth[i]!(batch, answers[0]!));
      await breathe();
    }
    options.examples?.see(
      judged.map(({ metric }) => metric),
      answers,
      batch,
      truth[0]!(batch, answers[0]!),
    );
    samples += batch.size;
    options.onProgress?.({ step: "evaluate", done: samples, total: data.count });
  }
  if (samples === 0) throw new AvocetError("data/none", "expected at least one sample, got none", { at: data.source });
  const seconds = (performance.now() - start) / 1000;
  return judged.map(({ metric }) => ({
    metric: metric.name,
    unit: metric.unit,
    better: metric.better,
    value: checkedValue(metric),
    interval: scoreInterval(metric),
    samples,
    seconds,
  }));
}

function unequalData(data: Dataset): AvocetError {
  return new AvocetError("data/none", "expected the same samples for each model, got fewer for one", {
    at: data.source,
  });
}

type TruthOf = (batch: Batch, reference: Feeds) => BatchLabels[LabelKind];

/** What a metric gets of each batch. */
function truthOf(metric: Metric, data: Dataset, given: EvaluateOptions["labels"], hasReference: boolean): TruthOf {
  const { labels: kind, name } = metric;
  const placeOf = ({ first, size }: Batch) => ({ first, size });
  if (kind === "none") return (batch) => ({ kind, ...placeOf(batch) });
  if (kind === "outputs") {
    if (hasReference) return (batch, outputs) => ({ kind, outputs, ...placeOf(batch) });
    throw new AvocetError("usage/bad-value", `expected two models for ${name}, which compares their outputs, got one`, {
      hint: "avocet quantize --evaluate, avocet verify and avocet compare have two; evaluateAll takes several sessions",
    });
  }
  if (given?.kind !== kind) {
    throw new AvocetError(
      "data/labels",
      `expected labels of ${words[kind]} for ${name}, got ${given?.kind ?? "none"}`,
      {
        at: given?.source ?? data.source,
      },
    );
  }
  const labels = alignLabels(given, data);
  return ({ first, size }) =>
    ({ ...renumberedLabels(labels, size, (n) => first + n), first, size }) as BatchLabels[typeof kind];
}

const words = {
  classes: "one class a sample",
  masks: "one class a pixel",
  arrays: "arrays of numbers",
  boxes: "boxes",
  texts: "a text a sample",
} as const;

function checkedValue(metric: Metric): number {
  const found: unknown = metric.value();
  if (typeof found === "number") return found;
  throw new AvocetError("usage/bad-value", `expected a number as the value of ${metric.name}, got ${typeof found}`);
}

/** The batch a session takes: its own where the model fixes it on the axis that counts samples, else the wanted one. */
export function batchOf(session: Session, wanted: number, { axes }: Pick<Dataset, "axes">): number {
  return fixedBatchOf(session.inputs, axes) ?? wanted;
}
