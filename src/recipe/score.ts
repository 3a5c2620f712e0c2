/** Source and shipped file, scored on the same labelled samples in stock sessions. */
import { Examples, evaluateAll, type Metric, pairedScores } from "../analysis/inner.ts";
import type { Work } from "../base/inner.ts";
import type { AnyLabels, Dataset } from "../data/inner.ts";
import type { Model } from "../ir/inner.ts";
import type { ScoreReport } from "../report/inner.ts";
import type { Runtime } from "../runtime/inner.ts";

/** Labelled data, and what judges it. */
export interface Judging {
  readonly data: Dataset;
  /** The same samples as the shipped model takes them, where they differ: states that it feeds back are its own. */
  readonly dataOf?: (shipped: Model) => Promise<Dataset | undefined>;
  /** Where that data lies; see `RunRequest.place`. */
  readonly place?: string | undefined;
  /** Makes a fresh metric for each model. */
  readonly metric: () => Metric;
  readonly labels: AnyLabels | null;
  /** How many classes the labels name by the order of folders or names alone; null where they say what class they are. */
  readonly namedClasses?: number | null;
}

export async function scoreOf(
  files: readonly [float: string | Uint8Array, shipped: string | Uint8Array],
  shipped: Model,
  { data, dataOf, metric, labels, namedClasses = null }: Judging,
  runtime: Runtime,
  { threads, batch, ...work }: Work & { readonly threads?: number; readonly batch?: number | undefined },
): Promise<ScoreReport> {
  const session = threads ? { threads } : {};
  await using float = await runtime.open(files[0], session);
  await using quantized = await runtime.open(files[1], session);
  const metrics = [metric(), metric()] as const;
  const own = await dataOf?.(shipped);
  const judged = [
    { session: float, metric: metrics[0] },
    { session: quantized, metric: metrics[1], ...(own ? { data: own } : {}) },
  ];
  const examples = new Examples();
  const [a, b] = await evaluateAll(judged, data, {
    ...work,
    examples,
    ...(batch ? { batch } : {}),
    ...(labels ? { labels } : {}),
  });
  const paired = pairedScores(...metrics);
  const { name, unit, better, tally } = metrics[0];
  return {
    metric: name,
    unit,
    better,
    float: a!.value,
    quantized: b!.value,
    samples: a!.samples,
    interval:
      a!.interval && b!.interval && paired
        ? { float: a!.interval, quantized: b!.interval, lost: paired.interval }
        : null,
    p: paired?.p ?? null,
    guessing: tally?.guessing?.() ?? null,
    classes: tally?.classes?.() ?? null,
    namedClasses,
    examples: examples.list(),
    ...(labels && "names" in labels && labels.names ? { names: labels.names } : {}),
  };
}
