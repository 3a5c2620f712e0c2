/** `avocet observe`: what flows through a float model, as a file that `quantize --statistics` finds ranges from where the data cannot go. */
import { throwIfAborted } from "../../base/inner.ts";
import { dataFilesOf, openModel } from "../../formats/inner-node.ts";
import { normalise } from "../../passes/inner.ts";
import { gatherStatistics, refuseUnfit, statisticsToJson } from "../../quant/inner.ts";
import { fitData } from "../../recipe/inner.ts";
import { firstSample, openRuntime, type RuntimeName, traceShapes } from "../../runtime/inner.ts";
import { type DataOptions, filesOfArgument, inputsOf, openDataFor, pathsRead } from "../inputs.ts";
import type { Io } from "../io.ts";
import { type OutputOptions, openOutputFile } from "../output-file.ts";
import { progressView } from "../progress.ts";

export interface ObserveOptions extends DataOptions, OutputOptions {
  readonly batch?: number;
  readonly threads?: number;
  readonly runtime: RuntimeName;
  readonly quiet?: boolean;
}

export async function observe(path: string, options: ObserveOptions, io: Io): Promise<void> {
  const inputs = await pathsRead([...filesOfArgument(path), options.preprocess], [options.data]);
  const output = openOutputFile(options.output, { force: options.force, kind: "statistics", inputs });
  const model = await openModel(path);
  output.expectApart(dataFilesOf(model));
  const runtime = await openRuntime(options.runtime, options);
  await normalise(model, { runtime });
  refuseUnfit(model);
  const opened = await openDataFor(model, undefined, options, io.signal);
  const data = await fitData(model, opened, inputsOf(options), runtime, { signal: io.signal });
  const types = await traceShapes(model, runtime, await firstSample(data, io.signal));
  throwIfAborted({ signal: io.signal });
  const progress = progressView(io, options.quiet === true);
  const statistics = await gatherStatistics(model, types, runtime, data, {
    batch: options.batch,
    ...(options.threads ? { session: { threads: options.threads } } : {}),
    signal: io.signal,
    onProgress: progress.show,
  });
  progress.end();
  output.write(statisticsToJson(statistics));
  const values = Object.keys(statistics.values).length;
  const { samples } = statistics;
  if (options.json) io.out(`${JSON.stringify({ output: options.output, values, samples })}\n`);
  else io.out(`${options.output}: what was seen of ${values} values, over ${samples} samples.\n`);
}
