/**
 * Puts layers of low rank into a model, from its input to its output. Each layer sees what the layers before it, compressed already,
 * really give it: its target is the weight that is best for those inputs, layers that keep their form are fitted to them as
 * well, and biases give the float model's means again.
 */
import { isRefused, throwIfAborted } from "../base/inner.ts";
import { type MatrixLayer, matrixLayerAt, matrixLayers, matrixOf, vectorSlot, weightOf } from "../facts/inner.ts";
import { check, cloneModel, type Model } from "../ir/inner.ts";
import { biasShift } from "../methods/inner.ts";
import { putBias, shiftedBias } from "../passes/inner.ts";
import type { Moments } from "../quant/inner.ts";
import { type Decision, layerName } from "./candidates.ts";
import { damped, fittedToKept, refitted } from "./dense/solve.ts";
import { fittedOn, layerInputs, settableBias } from "./layer-moments.ts";
import { composedWeight, type Factors, lowRank } from "./low-rank/factors.ts";
import { type LowRankForm, lowRankForm } from "./low-rank/form.ts";
import { putFactors } from "./low-rank/put.ts";
import { damping, type ImportanceOptions, importanceOf } from "./output-importance.ts";
import type { LowRankScheme } from "./scheme-names.ts";

/** Columns that stay of the layers that read channels which go: all other weights become zero. */
export type KeptColumns = ReadonlyMap<string, readonly number[]>;

/** Plain singular value decompositions and zeros, which need no data. */
export function applyPlain(
  model: Model,
  decisions: ReadonlyMap<string, Decision>,
  keep: KeptColumns = new Map(),
): Model {
  const copy = cloneModel(model);
  for (const layer of matrixLayers(copy.graph)) {
    const kept = keep.get(layerName(layer));
    if (kept) {
      const stays = new Set(kept);
      const { columns } = layer.matrix;
      const weight = matrixOf(layer.matrix, layer.weight.tensor).map((w, i) => (stays.has(i % columns) ? w : 0));
      layer.weight.value.initializer = weightOf(layer.matrix, layer.weight.tensor, weight);
    }
    const decision = decisions.get(layerName(layer));
    if (!decision) continue;
    const form = expectForm(layer, decision.scheme);
    const weight = Float64Array.from(matrixOf(layer.matrix, layer.weight.tensor));
    putFactors(layer, form, decision.rank, lowRank(form, weight, null, decision.rank).factors(decision.rank));
  }
  check(copy, "after compressing layers");
  return copy;
}

/** By least squares on moments; see above. The given model is not changed. */
export async function applyOnMoments(
  model: Model,
  decisions: ReadonlyMap<string, Decision>,
  keep: KeptColumns,
  importance: ReadonlyMap<string, Float64Array> | null,
  work: ImportanceOptions,
): Promise<Model> {
  const copy = cloneModel(model);
  // Clones have the same nodes in the same order.
  const copies = [...copy.graph.nodes];
  const pairs = [...model.graph.nodes].flatMap((node, i) => {
    const [layer, own] = [matrixLayerAt(node), matrixLayerAt(copies[i]!)];
    return layer && own ? [{ layer, own }] : [];
  });
  const begin = pairs.findIndex(({ layer }) => decisions.has(layerName(layer)) || keep.has(layerName(layer)));
  const { signal, onProgress } = work;
  await using inputs = layerInputs(model, work, copy);
  for (const [index, { layer, own }] of pairs.entries()) {
    throwIfAborted({ signal });
    if (begin < 0 || index < begin) continue;
    const name = layerName(layer);
    onProgress?.({ step: "compress", done: index, total: pairs.length, detail: name });
    const decision = decisions.get(name);
    if (!decision && own.uses.length > 1) continue;
    const moments = await inputs.momentsOf(layer, [layer.node.input(0)!.name, own.node.input(0)!.name]);
    const weight = Float64Array.from(matrixOf(layer.matrix, layer.weight.tensor));
    const bias = settableBias(own);
    const fitted = fittedOn(moments, bias !== null);
    const kept = keep.get(name);
    const target = kept ? onKept(layer, weight, fitted, kept) : targetOf(layer, weight, fitted);
    let made: Float64Array = target;
    if (decision) {
      const form = expectForm(own, decision.scheme);
      const columns = layer.matrix.columns;
      const h = damped(fitted.h, columns, damping);
      const importanceHere = importanceOf(importance?.get(layer.node.output.name) ?? null, target, fitted.h, columns);
      const factors = lowRank(form, target, { h, importance: importanceHere }, decision.rank).factors(decision.rank);
      made = composedWeight(form, rounded(factors), decision.rank);
      putFactors(own, form, decision.rank, factors);
    } else if (target !== weight) {
      const tensor = weightOf(layer.matrix, layer.weight.tensor, target);
      own.weight.value.initializer = tensor;
    } else continue;
    if (bias) {
      const shift = biasShift(layer.matrix, weight, made, moments.mean, moments.quantizedMean);
      putBias(own.node, vectorSlot(own.node, layer.axes.outputs), shiftedBias(own.node, bias, shift));
    }
  }
  onProgress?.({ step: "compress", done: pairs.length, total: pairs.length });
  check(copy, "after compressing layers");
  return copy;
}

function expectForm(layer: MatrixLayer, scheme: LowRankScheme): LowRankForm {
  const form = lowRankForm(layer, scheme);
  if (isRefused(form)) throw new Error(`${layer.node}: ${form.refused}`);
  return form;
}

/** What the layer would best be for the inputs that it gets, group by group. */
function targetOf(
  { matrix: { groups, outputs, columns } }: MatrixLayer,
  weight: Float64Array,
  moments: Pick<Moments, "h" | "r">,
): Float64Array {
  if (moments.r.every((x) => x === 0)) return weight;
  const target = new Float64Array(weight.length);
  const [size, square] = [outputs * columns, columns * columns];
  for (let g = 0; g < groups; g++) {
    const h = damped(moments.h.subarray(g * square, (g + 1) * square), columns, damping);
    const r = moments.r.subarray(g * square, (g + 1) * square);
    target.set(refitted(weight.subarray(g * size, (g + 1) * size), h, r, columns), g * size);
  }
  return target;
}

/** The same with some columns alone; the others are zero. Channels that go are read by layers without groups only. */
function onKept(
  { matrix: { columns } }: MatrixLayer,
  weight: Float64Array,
  { h, r }: Pick<Moments, "h" | "r">,
  kept: readonly number[],
): Float64Array {
  return fittedToKept(weight, damped(h, columns, damping), r, columns, kept);
}

/** As the model stores them. */
function rounded({ first, second }: Factors): Factors {
  return { first: Float64Array.from(first, Math.fround), second: Float64Array.from(second, Math.fround) };
}
