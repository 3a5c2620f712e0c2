/** `avocet evaluate`: the score of a model or of a folder of `quantize`, in a stock session. */
import { evaluate as judge } from "../../analysis/inner.ts";
import { roundedInputs } from "../../quant/inner.ts";
import { figure, jsonNumbers, roundingWarnings, scoreWarnings } from "../../report/inner.ts";
import { openRuntime, type RuntimeName, simulationOf } from "../../runtime/inner.ts";
import { type DataOptions, openArgument, openDataFor } from "../inputs.ts";
import type { Io } from "../io.ts";
import { type JudgeOptions, openMetric } from "../metric-options.ts";
import { progressView } from "../progress.ts";

export interface EvaluateOptions extends DataOptions, JudgeOptions {
  readonly simulated?: boolean;
  readonly batch?: number;
  readonly threads?: number;
  readonly runtime: RuntimeName;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

export async function evaluate(path: string, options: EvaluateOptions, io: Io): Promise<void> {
  const opened = await openArgument(path);
  const data = await openDataFor(opened.model, opened.recipe, options, io.signal);
  const opening = await openMetric(
    { ...options, classAxis: options.classAxis ?? opened.recipe?.classAxis },
    options.data!,
    data,
    opened.model,
  );
  const metric = opening.make();
  const runtime = await openRuntime(options.runtime, options);
  const progress = progressView(io, options.quiet === true);
  await using session = await runtime.open(opened.path, {
    ...(options.simulated ? simulationOf(opened.model) : {}),
    ...(options.threads ? { threads: options.threads } : {}),
  });
  const result = await judge(session, data, metric, {
    ...(options.batch ? { batch: options.batch } : {}),
    ...(opening.labels ? { labels: opening.labels } : {}),
    signal: io.signal,
    onProgress: progress.show,
  });
  progress.end();
  const { interval, value } = result;
  const rounded = options.runtime === "ort-node" && !options.simulated ? roundedInputs(opened.model) : [];
  const scored = scoreWarnings(
    {
      float: value,
      unit: result.unit,
      samples: result.samples,
      interval: interval && { float: interval },
      guessing: metric.tally?.guessing?.() ?? null,
      classes: metric.tally?.classes?.() ?? null,
      namedClasses: opening.namedClasses,
    },
    "the model",
  );
  const warnings = [...scored, ...roundingWarnings(rounded)];
  if (options.json) {
    io.out(`${JSON.stringify({ ...result, warnings }, jsonNumbers)}\n`);
    return;
  }
  const shown = (score: number) => figure(score, result.unit);
  const range = interval ? `, 95 % interval ${shown(interval[0])} to ${shown(interval[1])}` : "";
  io.out(`${result.metric} ${shown(value)} of ${result.samples} samples in ${result.seconds.toFixed(1)} s${range}\n`);
  for (const { text } of warnings) io.out(`warning: ${text}\n`);
}
