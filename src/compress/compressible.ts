/** The layers of a model that can be made smaller, and why the others cannot. */
import type { Sensitivities } from "../analysis/inner.ts";
import { AvocetError, didYouMean, isRefused } from "../base/inner.ts";
import { layersOf, type MatrixLayer, matrixLayerAt } from "../facts/inner.ts";
import type { Model, TensorType } from "../ir/inner.ts";
import { type CandidateOptions, candidatesOf, type FormCandidates, layerName } from "./candidates.ts";
import { positionsOf } from "./low-rank/positions.ts";

/** A layer and what it may become. */
export interface CompressibleLayer {
  readonly name: string;
  readonly layer: MatrixLayer;
  readonly forms: readonly FormCandidates[];
}

export interface Compressible {
  readonly layers: readonly CompressibleLayer[];
  readonly refused: Sensitivities["refused"];
}

/**
 * All layers but the ignored ones; with `ratios`, those that they name. Throws `compress/no-such-layer` for names that are none of
 * them, and `compress/nothing-to-compress`.
 */
export function compressible(
  model: Model,
  shapes: ReadonlyMap<string, TensorType>,
  options: CandidateOptions,
  ignore: readonly string[],
  ratios: Readonly<Record<string, number>> | undefined,
): Compressible {
  const layers: CompressibleLayer[] = [];
  const refused: { layer: string; reason: string }[] = [];
  const names: string[] = [];
  for (const { node, weight, matrix } of layersOf(model.graph)) {
    const name = layerName({ node });
    names.push(name);
    const layer = matrixLayerAt(node);
    const refuse = (reason: string) => refused.push({ layer: name, reason });
    if (ignore.includes(name)) refuse("it was asked to stay");
    else if (!layer) refuse(isRefused(matrix) ? matrix.refused : `its weight is ${weight.tensor.dtype}`);
    else {
      const positions = positionsOf(layer, shapes);
      const forms = positions ? candidatesOf(layer, positions, options) : "its shape is not known";
      if (typeof forms === "string") refuse(forms);
      else layers.push({ name, layer, forms });
    }
  }
  for (const node of model.graph.nodes) {
    if (!recurrent.has(node.op) || node.domain !== "") continue;
    const name = layerName({ node });
    names.push(name);
    if (!refused.some((one) => one.layer === name)) refused.push({ layer: name, reason: recurrentReason });
  }
  for (const name of [...ignore, ...Object.keys(ratios ?? {})]) {
    if (layers.some((one) => one.name === name) || (ignore.includes(name) && names.includes(name))) continue;
    const reason = refused.find(({ layer }) => layer === name)?.reason;
    throw new AvocetError(
      "compress/no-such-layer",
      `expected a layer that can be compressed, got "${name}"${reason ? `: ${reason}` : ""}`,
      { at: name, ...(reason === undefined ? hintOf(didYouMean(name, names)) : {}) },
    );
  }
  const chosen = ratios ? layers.filter(({ name }) => ratios[name] !== undefined) : layers;
  if (chosen.length > 0) return { layers: chosen, refused };
  const reasons = [...new Set(refused.map(({ reason }) => reason))].slice(0, 3).join("; ");
  throw new AvocetError(
    "compress/nothing-to-compress",
    `expected layers that can be made smaller, got none${reasons ? ` (${reasons})` : ""}`,
    { at: model.source ?? model.graph.name },
  );
}

/** Operators whose weights lie inside a loop. */
const recurrent: ReadonlySet<string> = new Set(["LSTM", "GRU", "RNN"]);
const recurrentReason =
  "its weights are read inside the operator, step by step: two products in their place would need another operator";

const hintOf = (hint: string | undefined) => (hint === undefined ? {} : { hint });

/** What is known before anything is tried: the candidates and their costs. */
export function sensitivitiesOf(
  model: string,
  total: { readonly macs: number; readonly parameters: number },
  layers: readonly CompressibleLayer[],
  refused: Sensitivities["refused"],
): Sensitivities {
  return {
    version: 1,
    model,
    ...total,
    metric: null,
    layers: layers.flatMap(({ name, layer, forms }) =>
      forms.map(({ form, costs, candidates }) => ({
        layer: name,
        op: layer.node.op,
        scheme: form.scheme,
        ...costs.original,
        candidates: candidates.map(({ ratio, rank, cost }) => ({ ratio, rank, ...cost, loss: null, score: null })),
        chosen: null,
      })),
    ),
    tradeoff: [],
    refused,
  };
}
