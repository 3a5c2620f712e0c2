/**
 * Runs the data through the float model once and shows chosen values to their observers. Min-max is reduced inside
 * the graph, so only three numbers a value cross the door; histograms fetch the values batch by batch and keep none.
 */
import { AvocetError, type Work } from "../../base/inner.ts";
import type { Dataset } from "../../data/inner.ts";
import type { Model } from "../../ir/inner.ts";
import { feedsFor, openTaps, overall, type Runtime, type SessionOptions, type Tapped } from "../../runtime/inner.ts";
import { makeObserver } from "../observers/make-observer.ts";
import type { MinMaxObserver } from "../observers/min-max.ts";
import type { Observer, Scheme } from "../observers/observer.ts";
import type { OutputGains } from "../observers/output-gain.ts";
import { explainNotFinite } from "./not-finite.ts";

export interface ObserveOptions extends Work {
  readonly scheme: Scheme;
  /** Samples a run; the runtime's choice by default. `tf_enhanced` averages over batches, so there it changes results. */
  readonly batch?: number | undefined;
  /** How errors of each channel weigh at the outputs of the next layers; `sqnr` minimises the error there. */
  readonly gains?: OutputGains | undefined;
  readonly session?: SessionOptions | undefined;
  /** Further values, each with the one of `names` whose observer sees its numbers, too. */
  readonly joined?: ReadonlyMap<string, string> | undefined;
}

/**
 * Observers of the named values after all data. Constants are read, not run. Throws `data/none` without samples and
 * `data/not-finite` for NaN, infinities and values without elements.
 */
export async function observe(
  model: Model,
  names: readonly string[],
  runtime: Runtime,
  dataset: Dataset,
  options: ObserveOptions,
): Promise<Map<string, Observer>> {
  const values = model.graph.valuesByName();
  const observers = new Map<string, Observer>();
  const flowing: string[] = [];
  const { joined = new Map<string, string>() } = options;
  /** Who sees each value. */
  const seers = new Map<string, Observer>();
  for (const name of [...names, ...joined.keys()]) {
    const value = values.get(name);
    if (!value) throw new AvocetError("quant/no-such-value", `expected a value of the model, got ${name}`);
    const own = joined.has(name) ? observers.get(joined.get(name)!) : undefined;
    const observer = own ?? makeObserver(options.scheme, options.gains?.of(value) ?? undefined);
    if (value.initializer) observer.see(value.initializer.floats());
    else flowing.push(name);
    seers.set(name, observer);
    if (!joined.has(name)) observers.set(name, observer);
  }
  if (flowing.length > 0) {
    if (options.scheme === "minmax") await reduceInGraph(model, flowing, runtime, dataset, options, seers);
    else await fetchValues(model, flowing, runtime, dataset, options, seers);
  }
  for (const [name, observer] of observers) {
    if (observer.statistics().count > 0) continue;
    throw new AvocetError("data/not-finite", `expected numbers in ${name}, got none`, {
      at: `${values.get(name)?.producer ?? name}`,
      hint: "the value has no elements for this data: keep it in float",
    });
  }
  return observers;
}

async function reduceInGraph(
  model: Model,
  names: readonly string[],
  runtime: Runtime,
  dataset: Dataset,
  options: ObserveOptions,
  observers: ReadonlyMap<string, Observer>,
): Promise<void> {
  // Minimum and maximum lose NaN inside ONNX Runtime; the sum does not.
  const reduction = overall("ReduceMin", "ReduceMax", "ReduceSum");
  const reductions = new Map(names.map((name) => [name, reduction]));
  await using taps = await openTaps(model, runtime, { reductions, ...sessionOf(options) });
  await follow(taps.stream(dataset, streamOptions(options)), dataset, async (tapped) => {
    for (const name of names) {
      const [min, max, sum] = tapped.reduced.get(name)!.map((tensor) => tensor.floats()[0]!) as [
        number,
        number,
        number,
      ];
      // An empty value reduces to +∞ … −∞.
      if (min > max && !Number.isNaN(sum)) continue;
      if (Number.isNaN(sum) || !Number.isFinite(min) || !Number.isFinite(max)) {
        throw await explainNotFinite(model, runtime, tapped.feeds, tapped.first, name);
      }
      (observers.get(name) as MinMaxObserver).seeRange(min, max, tapped.size);
    }
  });
}

async function fetchValues(
  model: Model,
  names: readonly string[],
  runtime: Runtime,
  dataset: Dataset,
  options: ObserveOptions,
  observers: ReadonlyMap<string, Observer>,
): Promise<void> {
  const inputs = new Set(model.graph.inputs.map((input) => input.name));
  const computed = names.filter((name) => !inputs.has(name));
  await using taps = await openTaps(model, runtime, {
    // What only the inputs need still has to run, to see each batch.
    values: computed.length > 0 ? computed : model.graph.outputs.map((output) => output.name),
    ...sessionOf(options),
  });
  await follow(taps.stream(dataset, streamOptions(options)), dataset, async (tapped) => {
    const feeds = feedsFor(model, tapped.feeds);
    for (const name of names) {
      const tensor = inputs.has(name) ? feeds[name]! : tapped.values[name]!;
      try {
        observers.get(name)!.see(tensor.floats(), tensor.shape);
      } catch (error) {
        if (!AvocetError.is(error) || error.code !== "data/not-finite") throw error;
        throw await explainNotFinite(model, runtime, tapped.feeds, tapped.first, name);
      }
    }
  });
}

async function follow(
  stream: AsyncIterable<Tapped>,
  dataset: Dataset,
  each: (tapped: Tapped) => Promise<void>,
): Promise<void> {
  let samples = 0;
  for await (const tapped of stream) {
    await each(tapped);
    samples += tapped.size;
  }
  if (samples > 0) return;
  throw new AvocetError("data/none", "expected at least one calibration sample, got none", { at: dataset.source });
}

function sessionOf({ session }: ObserveOptions) {
  return session === undefined ? {} : { session };
}

function streamOptions({ batch, signal, onProgress }: ObserveOptions) {
  return { step: "calibrate", signal, onProgress, ...(batch === undefined ? {} : { batch }) };
}
