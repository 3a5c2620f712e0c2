/** Compression, end to end in memory: a float model and data in, a smaller float model out. */
import { layerCosts, macsOf, parametersOf, type Sensitivities } from "../analysis/inner.ts";
import { mergeSensitivities } from "../analysis/inner-files.ts";
import { AvocetError, expectArguments, throwIfAborted } from "../base/inner.ts";
import { type Dataset, samples } from "../data/inner.ts";
import { cloneModel, type Model, type TensorType } from "../ir/inner.ts";
import { shapesFor } from "../methods/inner.ts";
import { normalise } from "../passes/inner.ts";
import type { Runtime } from "../runtime/inner.ts";
import { applyOnMoments, applyPlain } from "./apply-low-rank.ts";
import type { Decision } from "./candidates.ts";
import { compressible, sensitivitiesOf } from "./compressible.ts";
import { predictedLosses } from "./losses.ts";
import { rankFor } from "./low-rank/form.ts";
import { scoredAlone } from "./metric-scores.ts";
import { type CompressOptions, settled } from "./options.ts";
import { outputImportance } from "./output-importance.ts";
import { chooseRatios, tradeoffOf } from "./selection/choose.ts";

/** A layer that was made smaller. */
export interface CompressedLayer {
  readonly layer: string;
  readonly scheme: string;
  readonly rank: number;
  readonly macs: readonly [before: number, after: number];
  readonly parameters: readonly [before: number, after: number];
}

export interface ModelCost {
  readonly macs: number;
  readonly parameters: number;
}

export interface Compressed {
  readonly model: Model;
  /** The model as it was before: normalised, the same function as the source. */
  readonly prepared: Model;
  readonly layers: readonly CompressedLayer[];
  readonly sensitivities: Sensitivities;
  readonly cost: { readonly before: ModelCost; readonly after: ModelCost };
  /** Sentences for the report. */
  readonly notes: readonly string[];
  readonly seconds: Readonly<Record<"prepare" | "sensitivity" | "compress", number>>;
}

/**
 * Makes layers smaller within a budget, or as `ratios` say. The given model is not changed. Data may be null where nothing needs any
 * ("plain" with ratios). Throws `usage/bad-value`, `usage/missing`, `data/none`, `compress/nothing-to-compress`,
 * `compress/unreachable`, `compress/no-such-layer`.
 *
 * @example
 * const { model: smaller, cost } = await compressModel(model, data, runtime, { target: { macs: 0.5 } });
 */
export async function compressModel(
  given: Model,
  data: Dataset | null,
  runtime: Runtime,
  options: CompressOptions,
): Promise<Compressed> {
  expectArguments("compressModel(model, data, runtime, options)", {
    model: [given, "model"],
    ...(data !== null && { data: [data, "dataset"] }),
    runtime: [runtime, "runtime"],
    options: [options, "object"],
  });
  const asked = settled(options);
  const { by, fit, selection } = asked;
  const clock = stopwatch();
  const prepared = cloneModel(given);
  await normalise(prepared, { runtime });
  const part = data && samples(data, options.samples ?? 500);
  if (!part && (fit === "moments" || (selection === "moments" && asked.share !== undefined))) {
    throw new AvocetError("data/none", "expected data that layers are fitted on, got none", {
      hint: '--data DATA; the fit "plain" with ratios needs none',
    });
  }
  const shapes = await shapesFor(prepared, { runtime, ...(part ? { data: part } : {}), signal: options.signal });
  const before = costOf(prepared, shapes);
  const { layers, refused } = compressible(prepared, shapes, asked, options.ignore ?? [], asked.ratios);
  const seconds = { prepare: clock(), sensitivity: 0, compress: 0 };
  throwIfAborted(options);

  const work = {
    runtime,
    seed: options.seed ?? 0,
    threads: options.threads,
    batch: options.batch,
    signal: options.signal,
    onProgress: options.onProgress,
  };
  const notes: string[] = [];
  const found = part
    ? await outputImportance(
        prepared,
        layers.map(({ layer }) => layer),
        { ...work, data: part },
      )
    : null;
  if (found && "refused" in found)
    notes.push(`errors of all layers count alike, relative to the size of their outputs: ${found.refused}`);
  const importance = found && "of" in found ? found.of : null;
  let sensitivities = sensitivitiesOf(given.source ?? given.graph.name, before, layers, refused);
  if (options.sensitivities) sensitivities = mergeSensitivities(sensitivities, options.sensitivities);
  let decisions: ReadonlyMap<string, Decision>;
  if (asked.ratios) {
    decisions = new Map(
      layers.map(({ name, forms }) => {
        const { form, costs } = forms[0]!;
        return [name, { scheme: form.scheme, rank: rankFor(form, costs, asked.ratios![name]!, by, asked.multiple) }];
      }),
    );
  } else {
    sensitivities =
      selection === "metric"
        ? await scoredAlone(prepared, layers, sensitivities, options.scorer!, options)
        : await predictedLosses(prepared, layers, sensitivities, importance, { ...work, data: part! });
    const limit = { by, budget: asked.share! * before[by], total: before[by] };
    sensitivities = { ...sensitivities, tradeoff: tradeoffOf(sensitivities, limit) };
    decisions = chooseRatios(sensitivities, { ...limit, selection, monotone: options.monotone === true });
  }
  sensitivities = {
    ...sensitivities,
    layers: sensitivities.layers.map((one) => {
      const decision = decisions.get(one.layer);
      return { ...one, chosen: decision?.scheme === one.scheme ? decision.rank : null };
    }),
  };
  seconds.sensitivity = clock();
  throwIfAborted(options);

  const model =
    fit === "plain"
      ? applyPlain(prepared, decisions)
      : await applyOnMoments(prepared, decisions, importance, { ...work, data: part! });
  seconds.compress = clock();
  const after = costOf(
    model,
    await shapesFor(model, { runtime, ...(part ? { data: part } : {}), signal: options.signal }),
  );
  return {
    model,
    prepared,
    layers: layers.flatMap(({ name, forms }): CompressedLayer[] => {
      const decision = decisions.get(name);
      const costs = forms.find(({ form }) => form.scheme === decision?.scheme)?.costs;
      if (!decision || !costs) return [];
      const { original } = costs;
      const now = costs.at(decision.rank);
      return [
        {
          layer: name,
          ...decision,
          macs: [original.macs, now.macs],
          parameters: [original.parameters, now.parameters],
        },
      ];
    }),
    sensitivities,
    cost: { before, after },
    notes,
    seconds,
  };
}

/** Multiply-accumulates of one sample, and parameters. Where operators besides the layers do not tell, the layers count alone. */
function costOf(model: Model, shapes: ReadonlyMap<string, TensorType>): ModelCost {
  const macs = macsOf(model, shapes) ?? layerCosts(model, shapes).reduce((sum, { macs }) => sum + (macs ?? 0), 0);
  return { macs, parameters: parametersOf(model) };
}

const stopwatch = () => {
  let last = performance.now();
  return () => {
    const now = performance.now();
    const seconds = (now - last) / 1000;
    last = now;
    return seconds;
  };
};
