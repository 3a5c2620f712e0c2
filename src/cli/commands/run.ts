/** `avocet run`: the outputs of a model on data. */
import { batchOf } from "../../analysis/inner.ts";
import { throwIfAborted } from "../../base/inner.ts";
import { writeNpz } from "../../data/inner-files.ts";
import { dataFilesOf } from "../../formats/inner-node.ts";
import { joinRuns, openRuntime, type RunOutputs, type RuntimeName } from "../../runtime/inner.ts";
import { dtypes, type Tensor } from "../../tensor/inner.ts";
import { type DataOptions, filesOfArgument, openArgument, openDataFor, pathsRead } from "../inputs.ts";
import type { Io } from "../io.ts";
import { openOutputFile } from "../output-file.ts";
import { progressView } from "../progress.ts";

export interface RunOptions extends DataOptions {
  readonly output?: string;
  readonly force?: boolean;
  readonly batch?: number;
  readonly threads?: number;
  readonly runtime: RuntimeName;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

export async function run(path: string, options: RunOptions, io: Io): Promise<void> {
  const inputs = await pathsRead([...filesOfArgument(path), options.preprocess], [options.data]);
  const output = options.output
    ? openOutputFile(options.output, { force: options.force, kind: "arrays", inputs })
    : null;
  const opened = await openArgument(path);
  output?.expectApart(dataFilesOf(opened.model));
  const data = await openDataFor(opened.model, opened.recipe, options, io.signal);
  const runtime = await openRuntime(options.runtime, options);
  const progress = progressView(io, options.quiet === true);
  await using session = await runtime.open(opened.path, options.threads ? { threads: options.threads } : {});
  const runs: RunOutputs[] = [];
  const start = performance.now();
  for await (const batch of data.batches(batchOf(session, options.batch ?? 1, data), io.signal)) {
    throwIfAborted({ signal: io.signal });
    runs.push({ outputs: await session.run(batch.feeds), size: batch.size });
    progress.show({ step: "run", done: batch.first + batch.size, total: data.count });
  }
  progress.end();
  const seconds = (performance.now() - start) / 1000;
  const outputs = joinRuns(session, runs, data);
  output?.write(writeNpz(outputs));
  const summaries = Object.entries(outputs).map(([name, tensor]) => summaryOf(name, tensor));
  if (options.json) {
    const written = options.output ? { output: options.output } : {};
    io.out(`${JSON.stringify({ ...written, samples: data.count, seconds, outputs: summaries })}\n`);
  } else for (const s of summaries) io.out(line(s));
}

interface Summary {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Of the finite numbers; null for texts and where there are none. */
  readonly min: number | null;
  readonly max: number | null;
  readonly mean: number | null;
  readonly notFinite: number;
}

function summaryOf(name: string, tensor: Tensor): Summary {
  const { dtype, shape } = tensor;
  let [min, max, sum, count] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0];
  for (const element of elementsOf(tensor)) {
    const x = Number(element);
    if (!Number.isFinite(x)) continue;
    min = Math.min(min, x);
    max = Math.max(max, x);
    sum += x;
    count++;
  }
  const known = count > 0;
  return {
    name,
    dtype,
    shape,
    min: known ? min : null,
    max: known ? max : null,
    mean: known ? sum / count : null,
    notFinite: dtype === "string" ? 0 : tensor.size - count,
  };
}

/** Where they are, if they are numbers there: outputs may be larger than an array can be. */
function elementsOf(tensor: Tensor): Iterable<number | bigint> {
  const { dtype, data } = tensor;
  if (dtype === "string") return [];
  const { bits, kind } = dtypes[dtype];
  const isPlain = kind === "float" ? dtype === "float32" || dtype === "float64" : bits >= 8 && kind !== "complex";
  return isPlain ? (data as Iterable<number | bigint>) : tensor.numbers();
}

function line({ name, dtype, shape, min, max, mean, notFinite }: Summary): string {
  const numbers =
    min === null ? "" : `  min ${min.toPrecision(6)}, max ${max!.toPrecision(6)}, mean ${mean!.toPrecision(6)}`;
  return `${name}: ${dtype}[${shape.join(", ")}]${numbers}${notFinite > 0 ? `, ${notFinite} not finite` : ""}\n`;
}
