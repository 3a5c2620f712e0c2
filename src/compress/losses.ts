/** What each candidate of each layer is expected to lose, from moments of the float model: no candidate is run. */
import type { Sensitivities } from "../analysis/inner.ts";
import { throwIfAborted } from "../base/inner.ts";
import { matrixOf } from "../facts/inner.ts";
import type { Model } from "../ir/inner.ts";
import type { CompressibleLayer } from "./compressible.ts";
import { damped } from "./dense/solve.ts";
import { fittedOn, layerInputs, settableBias } from "./layer-moments.ts";
import { lowRank } from "./low-rank/factors.ts";
import { damping, type ImportanceOptions, importanceOf } from "./output-importance.ts";

/**
 * The sensitivities with the expected loss of every candidate: squared errors of a layer's outputs, each counted by its importance. Where
 * the model has no gradient, outputs count by one over their variance. Layers whose losses are known are passed over.
 */
export async function predictedLosses(
  model: Model,
  layers: readonly CompressibleLayer[],
  known: Sensitivities,
  importance: ReadonlyMap<string, Float64Array> | null,
  work: ImportanceOptions,
): Promise<Sensitivities> {
  const found = new Map<string, number>();
  const missing = new Set(
    known.layers.filter(({ candidates }) => candidates.some(({ loss }) => loss === null)).map(({ layer }) => layer),
  );
  const { signal, onProgress } = work;
  await using inputs = layerInputs(model, work);
  for (const [index, { name, layer, forms }] of layers.entries()) {
    throwIfAborted({ signal });
    onProgress?.({ step: "predicted losses", done: index, total: layers.length, detail: name });
    const input = layer.node.input(0)!.name;
    if (!missing.has(name)) continue;
    const moments = await inputs.momentsOf(layer, [input, input]);
    const { h: seen } = fittedOn(moments, settableBias(layer) !== null);
    const { columns } = layer.matrix;
    const weight = Float64Array.from(matrixOf(layer.matrix, layer.weight.tensor));
    const own = importanceOf(importance?.get(layer.node.output.name) ?? null, weight, seen, columns);
    const h = damped(seen, columns, damping);
    for (const { form, candidates } of forms) {
      const { loss } = lowRank(form, weight, { h, importance: own }, candidates.at(-1)!.rank);
      for (const { rank } of candidates) found.set(keyOf(name, form.scheme, rank), loss[rank - 1]!);
    }
  }
  onProgress?.({ step: "predicted losses", done: layers.length, total: layers.length });
  return {
    ...known,
    layers: known.layers.map((one) => ({
      ...one,
      candidates: one.candidates.map((candidate) => ({
        ...candidate,
        loss: candidate.loss ?? found.get(keyOf(one.layer, one.scheme, candidate.rank)) ?? null,
      })),
    })),
  };
}

const keyOf = (layer: string, scheme: string, rank: number) => JSON.stringify([layer, scheme, rank]);
