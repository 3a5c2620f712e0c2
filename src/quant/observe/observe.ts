/**
 * Runs the data through the float model once and shows chosen values to their observers. Min-max is reduced inside
 * the graph, so only three numbers a value cross the door; histograms fetch the values batch by batch and keep none, of large values a
 * sample and the exact ends.
 */
import { AvocetError, type Work } from "../../base/inner.ts";
import type { Dataset } from "../../data/inner.ts";
import type { Model, TensorType } from "../../ir/inner.ts";
import { feedsFor, openTaps, type Runtime, type SessionOptions, type Tapped } from "../../runtime/inner.ts";
import { makeObserver } from "../observers/make-observer.ts";
import type { MinMaxObserver } from "../observers/min-max.ts";
import { type Observer, type Scheme, seesSamples } from "../observers/observer.ts";
import type { OutputGains } from "../observers/output-gain.ts";
import { explainNotFinite } from "./not-finite.ts";
import { batchOfWhole, endsOf, exactEnds, type Thinned, thinned } from "./thin-values.ts";

export interface ObserveOptions extends Work {
  readonly scheme: Scheme;
  /** Samples a run; the runtime's choice by default. `tf_enhanced` averages over batches, so there it changes results. */
  readonly batch?: number | undefined;
  /** How errors of each channel weigh at the outputs of the next layers; `sqnr` minimises the error there. */
  readonly gains?: OutputGains | undefined;
  readonly session?: SessionOptions | undefined;
  /** Further values, each with the one of `names` whose observer sees its numbers, too. */
  readonly joined?: ReadonlyMap<string, string> | undefined;
  /** Types of the values as they run on one sample; schemes that may look at samples of large values then do so. */
  readonly types?: ReadonlyMap<string, TensorType> | undefined;
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
  const reductions = new Map(names.map((name) => [name, exactEnds]));
  await using taps = await openTaps(model, runtime, { reductions, ...sessionOf(options) });
  await follow(taps.stream(dataset, streamOptions(options)), dataset, async (tapped) => {
    for (const name of names) {
      await explained(model, runtime, tapped, name, () => {
        const ends = endsOf(tapped.reduced.get(name)!);
        if (ends) (observers.get(name) as MinMaxObserver).seeRange(...ends, tapped.size);
      });
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
  const { types, gains, joined = new Map<string, string>() } = options;
  // In one histogram with another value, each number counts once.
  const shared = new Set([...joined.keys(), ...joined.values()]);
  const alone = computed.filter((name) => !shared.has(name));
  const values = model.graph.valuesByName();
  const { reductions, starts } =
    types && seesSamples(options.scheme)
      ? thinned(model, alone, types, dataset.count, (name) => gains?.of(values.get(name)!) != null)
      : nothingThinned;
  await using taps = await openTaps(model, runtime, {
    // What only the inputs need still has to run, to see each batch.
    values:
      computed.length > 0
        ? computed.filter((name) => !reductions.has(name))
        : model.graph.outputs.map((output) => output.name),
    reductions,
    added: starts,
    ...sessionOf(options),
  });
  const batch = types && reductions.size > 0 && (await batchOfWhole(model, computed, types, dataset, options.signal));
  const stream = taps.stream(dataset, { ...(batch ? { batch } : {}), ...streamOptions(options) });
  await follow(stream, dataset, async (tapped) => {
    const feeds = feedsFor(model, tapped.feeds);
    for (const name of names) {
      await explained(model, runtime, tapped, name, () => {
        const [min, max, sum, sample] = tapped.reduced.get(name) ?? [];
        const tensor = sample ?? (inputs.has(name) ? feeds[name]! : tapped.values[name]!);
        const ends = sample ? endsOf([min!, max!, sum!]) : undefined;
        observers.get(name)!.see(tensor.floats(), tensor.shape, ends ?? undefined);
      });
    }
  });
}

const nothingThinned: Thinned = { reductions: new Map(), starts: () => ({}) };

/** What is not finite is told with the node that gave it. */
async function explained(
  model: Model,
  runtime: Runtime,
  { feeds, first }: Tapped,
  name: string,
  see: () => void,
): Promise<void> {
  try {
    see();
  } catch (error) {
    if (!AvocetError.is(error) || error.code !== "data/not-finite") throw error;
    throw await explainNotFinite(model, runtime, feeds, first, name);
  }
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
