/** What a run is judged on: labelled data of its own, samples that calibration did not see, or noise. */
import { evaluateAll, pairedScores } from "../analysis/index.ts";
import type { Work } from "../base/index.ts";
import { type Dataset, samples } from "../data/index.ts";
import type { Model } from "../ir/index.ts";
import { noiseData, type Quantized, type Recipe } from "../recipe/index.ts";
import type { ScoreReport } from "../report/index.ts";
import type { Runtime, RuntimeName } from "../runtime/index.ts";
import { openSamples } from "./inputs.ts";
import { type JudgedData, judgedOnOther, judgedOnOwn, type UsedData } from "./judged-data.ts";
import { type JudgeOptions, type OpenedMetric, openMetric } from "./metric-options.ts";

export interface JudgingOptions extends JudgeOptions {
  readonly evaluateSamples?: string;
  readonly threads?: number;
  readonly batch?: number;
  readonly runtime: RuntimeName;
}

/** Samples on which the result is compared with float and with its simulation. */
const verifySamples = 200;

/** The same without data: noise is needed for kernels and latencies only. */
const noiseSamples = 16;

/** What --evaluate asks for, opened. */
export interface Judging {
  readonly spec: string;
  readonly data: Dataset;
  readonly metric: OpenedMetric;
}

/** Opens labelled data before anything long begins. Throws what `openSamples` and `openMetric` throw. */
export async function openJudging(
  model: Model,
  spec: string,
  options: JudgingOptions,
  recipe: Recipe,
): Promise<Judging> {
  const data = await openSamples(model, spec, recipe.preprocess, options.evaluateSamples, recipe, options);
  return { spec, data, metric: await openMetric(options, spec, data, model) };
}

/** The samples of --evaluate, else those of --data, else noise; null where no noise can be made. */
export function judgedDataOf({
  judging,
  data,
  used,
  quantized,
  recipe,
}: {
  readonly judging: Judging | null;
  readonly data: Dataset | null;
  readonly used: UsedData | null;
  readonly quantized: Quantized;
  readonly recipe: Recipe;
}): JudgedData | null {
  if (judging) return judgedOnOther(judging.spec, judging.data, used, verifySamples);
  if (used) return judgedOnOwn(used, verifySamples);
  if (data) return { data: samples(data, verifySamples), on: { data: "held-out", seen: 0 } };
  const noise = noiseData(quantized, recipe, noiseSamples);
  return noise ? { data: noise, on: { data: "noise", seen: 0 } } : null;
}

/** Float and quantized file, judged side by side in stock sessions. */
export async function scoreOf(
  paths: readonly [string, string],
  { data, metric }: Judging,
  runtime: Runtime,
  options: JudgingOptions,
  work: Work,
): Promise<ScoreReport> {
  const threads = options.threads ? { threads: options.threads } : {};
  await using float = await runtime.open(paths[0], threads);
  await using quantized = await runtime.open(paths[1], threads);
  const metrics = [metric.make(), metric.make()] as const;
  const judged = [float, quantized].map((session, i) => ({ session, metric: metrics[i]! }));
  const [a, b] = await evaluateAll(judged, data, {
    ...work,
    ...(options.batch ? { batch: options.batch } : {}),
    ...(metric.labels ? { labels: metric.labels } : {}),
  });
  const paired = pairedScores(...metrics);
  return {
    metric: metrics[0].name,
    unit: metrics[0].unit,
    better: metrics[0].better,
    float: a!.value,
    quantized: b!.value,
    samples: a!.samples,
    interval:
      a!.interval && b!.interval && paired
        ? { float: a!.interval, quantized: b!.interval, lost: paired.interval }
        : null,
    p: paired?.p ?? null,
    guessing: metrics[0].tally?.guessing?.() ?? null,
    classes: metrics[0].tally?.classes?.() ?? null,
    namedClasses: metric.namedClasses,
  };
}
