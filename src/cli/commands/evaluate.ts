/** `avocet evaluate`: the score of a model or of a folder of `quantize`, in a stock session. */
import { evaluate as judge } from "../../analysis/index.ts";
import { openRuntime, type RuntimeName } from "../../runtime/index.ts";
import {
  type DataOptions,
  inputsOf,
  type JudgeOptions,
  openMetric,
  openModel,
  openSamples,
  preprocessOf,
} from "../inputs.ts";
import type { Io } from "../io.ts";
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
  const opened = openModel(path);
  const data = await openSamples(
    opened.model,
    options.data,
    preprocessOf(options, opened.recipe),
    options.samples,
    inputsOf(options, opened.recipe),
    { ...options, signal: io.signal },
  );
  const metric = await openMetric(options, options.data!, data);
  const runtime = await openRuntime(options.runtime, options);
  const progress = progressView(io, options.quiet === true);
  await using session = await runtime.open(opened.path, {
    ...(options.simulated ? { optimization: "off" as const } : {}),
    ...(options.threads ? { threads: options.threads } : {}),
  });
  const result = await judge(session, data, metric, {
    ...(options.batch ? { batch: options.batch } : {}),
    signal: io.signal,
    onProgress: progress.show,
  });
  progress.end();
  if (options.json) io.out(`${JSON.stringify(result)}\n`);
  else
    io.out(
      `${result.metric} ${(100 * result.value).toFixed(2)} % of ${result.samples} samples in ${result.seconds.toFixed(1)} s\n`,
    );
}
