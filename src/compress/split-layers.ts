/** Layers become two of lower rank each: what may be lost, what is chosen, and what is made of it. */
import type { Sensitivities } from "../analysis/inner.ts";
import { mergeSensitivities } from "../analysis/inner-files.ts";
import { throwIfAborted } from "../base/inner.ts";
import type { Model, TensorType } from "../ir/inner.ts";
import { applyOnMoments, applyPlain } from "./apply-low-rank.ts";
import type { Decision } from "./candidates.ts";
import { compressible, sensitivitiesOf } from "./compressible.ts";
import { predictedLosses } from "./losses.ts";
import { rankFor } from "./low-rank/form.ts";
import { scoredAlone } from "./metric-scores.ts";
import type { CompressOptions, settled } from "./options.ts";
import { type ImportanceOptions, outputImportance } from "./output-importance.ts";
import { chooseRatios, type Limit, tradeoffOf } from "./selection/choose.ts";

export interface SplitRequest {
  readonly asked: ReturnType<typeof settled>;
  readonly limit: Limit;
  readonly options: CompressOptions;
  readonly ignore: readonly string[];
}

export interface SplitModel {
  readonly model: Model;
  readonly sensitivities: Sensitivities;
  readonly notes: readonly string[];
  /** That went into sensitivities. */
  readonly seconds: number;
}

/** The given model, whose shapes are known, is not changed. `work` is null where there is no data. */
export async function splitLayers(
  given: Model,
  shapes: ReadonlyMap<string, TensorType>,
  { asked, limit, options, ignore }: SplitRequest,
  work: ImportanceOptions | null,
): Promise<SplitModel> {
  const start = performance.now();
  const { by, fit, selection, ratios, multiple } = asked;
  const { layers, refused } = compressible(given, shapes, asked, ignore, ratios);
  const notes: string[] = [];
  const nodes = layers.map(({ layer }) => layer);
  const found = work && (await outputImportance(given, nodes, work));
  if (found && "refused" in found)
    notes.push(`errors of all layers count alike, relative to the size of their outputs: ${found.refused}`);
  const importance = found && "of" in found ? found.of : null;
  const totals = { macs: 0, parameters: 0, [by]: limit.total };
  let sensitivities = sensitivitiesOf(given.source ?? given.graph.name, totals, layers, refused);
  if (options.sensitivities) sensitivities = mergeSensitivities(sensitivities, options.sensitivities);
  let decisions: ReadonlyMap<string, Decision>;
  if (ratios) {
    const chosen = layers.map(({ name, forms: [first] }) => {
      const { form, costs } = first!;
      const rank = rankFor(form, costs, ratios[name]!, by, multiple);
      return { name, scheme: form.scheme, rank, ratio: costs.at(rank)[by] / costs.original[by], cost: costs.at(rank) };
    });
    decisions = new Map(chosen.map(({ name, scheme, rank }) => [name, { scheme, rank }]));
    // Ranks by ratio need not be among the candidates.
    sensitivities = {
      ...sensitivities,
      layers: sensitivities.layers.map((one) => {
        const own = chosen.find(({ name, scheme }) => name === one.layer && scheme === one.scheme);
        if (!own || one.candidates.some(({ rank }) => rank === own.rank)) return one;
        const { ratio, rank, cost } = own;
        const candidates = [...one.candidates, { ratio, rank, ...cost, loss: null, score: null }];
        return { ...one, candidates: candidates.sort((a, b) => a.rank - b.rank) };
      }),
    };
  } else {
    sensitivities =
      selection === "metric"
        ? await scoredAlone(given, layers, sensitivities, options.scorer!, options)
        : await predictedLosses(given, layers, sensitivities, importance, work!);
    sensitivities = { ...sensitivities, tradeoff: tradeoffOf(sensitivities, limit) };
    decisions = chooseRatios(sensitivities, limit, { selection, monotone: options.monotone === true });
  }
  sensitivities = {
    ...sensitivities,
    layers: sensitivities.layers.map((one) => {
      const decision = decisions.get(one.layer);
      return { ...one, chosen: decision?.scheme === one.scheme ? decision.rank : null };
    }),
  };
  const seconds = (performance.now() - start) / 1000;
  throwIfAborted(options);
  const isPlain = fit === "plain" || !work;
  const model = isPlain
    ? applyPlain(given, decisions)
    : await applyOnMoments(given, decisions, new Map(), importance, work);
  return { model, sensitivities, notes, seconds };
}
