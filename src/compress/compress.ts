/** Compression, end to end in memory: a float model and data in, a smaller float model out. */
import { type LayerSensitivity, layerCosts, macsOf, parametersOf, type Sensitivities } from "../analysis/inner.ts";
import { AvocetError, expectArguments, stopwatch, throwIfAborted } from "../base/inner.ts";
import { type Dataset, samples } from "../data/inner.ts";
import { cloneModel, type Model, type TensorType } from "../ir/inner.ts";
import { shapesFor } from "../methods/inner.ts";
import { normalise } from "../passes/inner.ts";
import { refuseUnfit } from "../quant/inner.ts";
import type { Runtime } from "../runtime/inner.ts";
import { pruneChannels } from "./channels/prune.ts";
import { sensitivitiesOf } from "./compressible.ts";
import { type CompressOptions, settled } from "./options.ts";
import type { ImportanceOptions } from "./output-importance.ts";
import { splitLayers } from "./split-layers.ts";

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
 * `compress/unreachable`, `compress/no-such-layer`, and for a model that is no float32 model `quant/already-quantized` and
 * `quant/unsupported-model`.
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
  const { ignore = [] } = options;
  const clock = stopwatch();
  // Before normalising, which folds the constants behind quantizers and would hide them.
  refuseUnfit(given);
  const prepared = cloneModel(given);
  await normalise(prepared, { runtime });
  const part = data && samples(data, options.samples ?? 500);
  if (
    !part &&
    (fit === "moments" || (selection === "moments" && asked.share !== undefined && asked.schemes.length > 0))
  ) {
    throw new AvocetError("data/none", "expected data that layers are fitted on, got none", {
      hint: '--data DATA; the fit "plain" with ratios needs none',
    });
  }
  const context = { runtime, ...(part ? { data: part } : {}), signal: options.signal };
  const shapes = await shapesFor(prepared, context);
  const before = costOf(prepared, shapes);
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
  const used: ImportanceOptions | null = part && { ...work, data: part };
  const notes: string[] = [];
  const done: LayerSensitivity[] = [];
  let model = prepared;
  let now = { shapes, cost: before };
  let refused: Sensitivities["refused"] = [];
  if (asked.prune) {
    const { count, multiple, ratios, schemes } = asked;
    const share = asked.share === undefined ? undefined : schemes.length > 0 ? Math.sqrt(asked.share) : asked.share;
    const pruned = await pruneChannels(
      prepared,
      shapes,
      { by, count, multiple, ratios, ignore, ...(share === undefined ? {} : { saving: (1 - share) * before[by] }) },
      fit === "plain" ? null : used,
    );
    model = pruned.model;
    refused = pruned.refused;
    done.push(...pruned.layers);
    if (pruned.note !== undefined) notes.push(`errors of all layers count alike: ${pruned.note}`);
    const next = await shapesFor(model, context);
    now = { shapes: next, cost: costOf(model, next) };
    seconds.compress += clock();
    throwIfAborted(options);
  }
  let sensitivities: Sensitivities = sensitivitiesOf(given.source ?? given.graph.name, before, [], refused);
  if (asked.schemes.length > 0) {
    const limit = { by, budget: (asked.share ?? 1) * before[by], total: now.cost[by], whole: before[by] };
    const split = await splitLayers(model, now.shapes, { asked, limit, options, ignore }, used);
    model = split.model;
    sensitivities = { ...split.sensitivities, ...before, refused: [...refused, ...split.sensitivities.refused] };
    notes.push(...split.notes);
    seconds.sensitivity += split.seconds;
    seconds.compress += clock() - split.seconds;
  }
  sensitivities = { ...sensitivities, layers: [...done, ...sensitivities.layers] };
  const after = costOf(model, await shapesFor(model, context));
  return {
    model,
    prepared,
    layers: sensitivities.layers.flatMap(compressedLayer),
    sensitivities,
    cost: { before, after },
    notes,
    seconds,
  };
}

function compressedLayer({ layer, scheme, macs, parameters, candidates, chosen }: LayerSensitivity): CompressedLayer[] {
  const taken = candidates.find(({ rank }) => rank === chosen);
  if (!taken) return [];
  const { rank } = taken;
  return [{ layer, scheme, rank, macs: [macs, taken.macs], parameters: [parameters, taken.parameters] }];
}

/** Multiply-accumulates of one sample, and parameters. Where operators besides the layers do not tell, the layers count alone. */
function costOf(model: Model, shapes: ReadonlyMap<string, TensorType>): ModelCost {
  const macs = macsOf(model, shapes) ?? layerCosts(model, shapes).reduce((sum, { macs }) => sum + (macs ?? 0), 0);
  return { macs, parameters: parametersOf(model) };
}
