/** `avocet compare`: how close two models are, per output and per value. */
import { Agreement, batchOf, compareValues, type Similarity, signalNames } from "../../analysis/index.ts";
import type { Dataset } from "../../data/index.ts";
import type { Model } from "../../ir/index.ts";
import { normalise } from "../../passes/index.ts";
import { counterparts, isQuantizing } from "../../quant/index.ts";
import { firstSample, openRuntime, type Runtime, type RuntimeName, traceShapes } from "../../runtime/index.ts";
import { type DataOptions, inputsOf, openModel, openSamples, preprocessOf } from "../inputs.ts";
import type { Io } from "../io.ts";
import { type ProgressView, progressView } from "../progress.ts";

export interface CompareOptions extends DataOptions {
  readonly batch?: number;
  readonly threads?: number;
  readonly runtime: RuntimeName;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

export async function compare(path: string, otherPath: string, options: CompareOptions, io: Io): Promise<void> {
  const [reference, other] = [openModel(path), openModel(otherPath)];
  const recipe = other.recipe ?? reference.recipe;
  const data = await openSamples(
    reference.model,
    options.data,
    preprocessOf(options, recipe),
    options.samples ?? 64,
    inputsOf(options, recipe),
    { ...options, signal: io.signal },
  );
  const runtime = await openRuntime(options.runtime, options);
  const progress = progressView(io, options.quiet === true);
  const agreement = await agreementOf(reference.path, other.path, runtime, data, options, io, progress);
  // Both sides are brought to one form, so that values of the same name mean the same thing.
  // A quantized model was made from a normalised one and keeps its values' names; to fold its constants would undo it.
  for (const { model } of [reference, other]) {
    if (![...model.graph.nodes].some(isQuantizing)) await normalise(model, { runtime });
  }
  const shapes = await traceShapes(reference.model, runtime, await firstSample(data, io.signal));
  const pairs = counterparts(signalNames(reference.model, shapes), other.model);
  const similar = await compareValues(reference.model, other.model, pairs, runtime, data, {
    ...(options.threads ? { threads: options.threads } : {}),
    signal: io.signal,
    onProgress: progress.show,
  });
  progress.end();
  const names = new Set(outputNames(reference.model));
  const result = { samples: data.count, outputs: similar.filter((s) => names.has(s.name)), agreement, values: similar };
  io.out(options.json ? `${JSON.stringify(result, finite)}\n` : text(result.outputs, agreement, similar));
}

function outputNames(model: Model): string[] {
  return model.graph.outputs.map((value) => value.name);
}

/** JSON has no Infinity: an exact value's SQNR is written as null. */
function finite(_key: string, value: unknown): unknown {
  return value === Number.POSITIVE_INFINITY ? null : value;
}

async function agreementOf(
  path: string,
  otherPath: string,
  runtime: Runtime,
  data: Dataset,
  options: CompareOptions,
  io: Io,
  progress: ProgressView,
): Promise<number | null> {
  const threads = options.threads ? { threads: options.threads } : {};
  await using a = await runtime.open(path, threads);
  await using b = await runtime.open(otherPath, threads);
  const agreement = new Agreement();
  for await (const batch of data.batches(batchOf(a, options.batch ?? 8, data), io.signal)) {
    const [left, right] = [await a.run(batch.feeds), await b.run(batch.feeds)];
    for (const [name, tensor] of Object.entries(left)) if (right[name]) agreement.see(tensor, right[name]);
    progress.show({ step: "agreement", done: batch.first + batch.size, total: data.count });
  }
  return agreement.value();
}

function text(outputs: readonly Similarity[], agreement: number | null, values: readonly Similarity[]): string {
  const row = ({ name, sqnr, cosine }: Similarity) =>
    `${sqnr.toFixed(1).padStart(8)} dB  ${cosine.toFixed(6)}  ${name}\n`;
  const worst = [...values].sort((a, b) => a.sqnr - b.sqnr).slice(0, 10);
  return [
    agreement === null ? "" : `the same decision on ${(100 * agreement).toFixed(2)} % of the samples\n`,
    "outputs\n",
    ...outputs.map(row),
    "the ten values furthest apart\n",
    ...worst.map(row),
  ].join("");
}
