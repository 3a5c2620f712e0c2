/** `avocet compare`: how close two models are, per output and per value. */
import {
  Agreement,
  type AgreementShares,
  batchOf,
  compareValues,
  OutputDifference,
  outputMeanings,
  type Similarity,
  signalNames,
} from "../../analysis/inner.ts";
import { throwIfAborted } from "../../base/inner.ts";
import type { Dataset } from "../../data/inner.ts";
import { normalise } from "../../passes/inner.ts";
import { counterparts, isQuantizing, readShipped } from "../../quant/inner.ts";
import { decibels, decisions as decided, jsonNumbers, percent } from "../../report/inner.ts";
import { crosses, firstSample, openRuntime, type Runtime, type RuntimeName, traceShapes } from "../../runtime/inner.ts";
import { type DataOptions, type ModelArgument, openArgument, openDataFor } from "../inputs.ts";
import type { Io } from "../io.ts";
import { type ClassAxisOptions, classAxisOf } from "../metric-options.ts";
import { type ProgressView, progressView } from "../progress.ts";

export interface CompareOptions extends DataOptions, ClassAxisOptions {
  readonly batch?: number;
  readonly threads?: number;
  readonly runtime: RuntimeName;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

export async function compare(path: string, otherPath: string, options: CompareOptions, io: Io): Promise<void> {
  const [reference, other] = [await openArgument(path), await openArgument(otherPath)];
  const recipe = other.recipe ?? reference.recipe;
  const data = await openDataFor(reference.model, recipe, options, io.signal, 64);
  const runtime = await openRuntime(options.runtime, options);
  const progress = progressView(io, options.quiet === true);
  const outcome = await outcomesOf(reference, other, runtime, data, options, io, progress);
  // Both sides are brought to one form, so that values of the same name mean the same thing.
  // A quantized model was made from a normalised one and keeps its values' names; to fold its constants would undo it.
  for (const { model } of [reference, other]) {
    if (![...model.graph.nodes].some(isQuantizing)) await normalise(model, { runtime });
  }
  const shapes = await traceShapes(reference.model, runtime, await firstSample(data, io.signal));
  const pairs = counterparts(signalNames(reference.model, shapes), readShipped(other.model));
  const values = await compareValues(reference.model, other.model, pairs, runtime, data, {
    ...(options.threads ? { threads: options.threads } : {}),
    signal: io.signal,
    onProgress: progress.show,
  });
  progress.end();
  const names = new Set(reference.model.graph.outputs.map((value) => value.name));
  const outputs = values.filter(({ name }) => names.has(name));
  const { agreement, samples, equal } = outcome;
  const result = { samples, outputs, agreement: agreement.float, decisions: agreement, equal, values };
  io.out(options.json ? `${JSON.stringify(result, jsonNumbers)}\n` : text(result));
}

interface Outcome {
  readonly samples: number;
  readonly agreement: Omit<AgreementShares, "simulation">;
  /** Outputs that are no floating-point numbers: the share of their elements that are the same. */
  readonly equal: readonly { readonly name: string; readonly equal: number }[];
}

/** What both models answer in stock sessions. */
async function outcomesOf(
  reference: ModelArgument,
  other: ModelArgument,
  runtime: Runtime,
  data: Dataset,
  options: CompareOptions,
  io: Io,
  progress: ProgressView,
): Promise<Outcome> {
  const threads = options.threads ? { threads: options.threads } : {};
  await using a = await runtime.open(reference.path, threads);
  await using b = await runtime.open(other.path, threads);
  const names = a.outputs.flatMap(({ name, dtype }) =>
    dtype !== null && crosses(dtype) && b.outputs.some((output) => output.name === name) ? [name] : [],
  );
  const agreement = new Agreement(
    outputMeanings(reference.model, {
      classAxis: classAxisOf(options.classAxis ?? (other.recipe ?? reference.recipe)?.classAxis),
    }),
  );
  const differences = new Map(names.map((name) => [name, new OutputDifference()]));
  let samples = 0;
  for await (const batch of data.batches(batchOf(a, options.batch ?? 8, data), io.signal)) {
    throwIfAborted({ signal: io.signal });
    const [left, right] =
      names.length > 0 ? [await a.run(batch.feeds, names), await b.run(batch.feeds, names)] : [{}, {}];
    for (const name of names) {
      agreement.see(name, right[name]!, left[name]!, batch.size);
      differences.get(name)!.see(right[name]!, left[name]!);
    }
    samples += batch.size;
    progress.show({ step: "agreement", done: samples, total: data.count });
  }
  return {
    samples,
    agreement: {
      float: agreement.value(),
      of: agreement.unit(),
      interval: agreement.interval(),
      choices: agreement.choices(),
      why: agreement.why(),
    },
    equal: names.flatMap((name) => {
      const equal = differences.get(name)!.equal();
      return equal === null ? [] : [{ name, equal }];
    }),
  };
}

function text({
  samples,
  outputs,
  decisions: { float, of, interval, why },
  equal,
  values,
}: {
  readonly samples: number;
  readonly outputs: readonly Similarity[];
  readonly decisions: Outcome["agreement"];
  readonly equal: Outcome["equal"];
  readonly values: readonly Similarity[];
}): string {
  const row = ({ name, sqnr, cosine }: Similarity) => `${decibels(sqnr).padStart(11)}  ${cosine.toFixed(6)}  ${name}\n`;
  const worst = [...values].sort((a, b) => a.sqnr - b.sqnr).slice(0, 10);
  const range = interval ? `, 95 % interval ${percent(interval[0])} to ${percent(interval[1])}` : "";
  return [
    float === null
      ? `no share of equal decisions: ${why.join("; ")}\n`
      : `the same decision on ${percent(float)} of the ${decided(of, samples)}${range}\n`,
    outputs.length > 0 ? "outputs\n" : "",
    ...outputs.map(row),
    ...equal.map(({ name, equal: share }) => `${percent(share).padStart(11)}  equal     ${name}\n`),
    worst.length > 0 ? "the ten values furthest apart\n" : "",
    ...worst.map(row),
  ].join("");
}
