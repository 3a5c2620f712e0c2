/** SeqMSE on moments: a candidate costs one small product instead of a forward pass, so that many can be tried. */

import { roundHalfEven } from "../../base/inner.ts";
import type { MatrixLayer } from "../../facts/inner.ts";
import type { Model } from "../../ir/inner.ts";
import {
  type Encoding,
  encodingMax,
  encodingMin,
  encodingOfRange,
  type Plan,
  type PlanEntry,
} from "../../quant/inner.ts";
import type { MethodContext, MethodResult } from "../method.ts";
import { bestCandidates } from "../on-moments/judged.ts";
import type { LayerSolution } from "../on-moments/layer-record.ts";
import {
  dequantized,
  nearest,
  type RoundingProblem,
  roundingProblem,
  withEncoding,
} from "../on-moments/rounding-problem.ts";
import { RowErrors } from "../on-moments/row-errors.ts";
import { spanningEncoding, withBestScales } from "../on-moments/scale-search.ts";
import { type LayerTask, solveLayers } from "../on-moments/sequential.ts";
import { optionsOf } from "../step.ts";
import { fractions } from "./math.ts";
import { type SeqMseOptions, seqMseOptions } from "./options.ts";

/** Chooses the encodings of weights; the model keeps its float weights (and gets best biases with "fine"). */
export async function applySeqMse(
  model: Model,
  plan: Plan,
  context: MethodContext,
  options: SeqMseOptions = {},
): Promise<MethodResult> {
  const { search, candidates, rowsPerColumn } = optionsOf("seqmse", seqMseOptions, options);
  const parity = search === "aimet";
  await using errors = await RowErrors.open(context.runtime, context.threads);
  const sequence = { step: "seqmse", rowsPerColumn, activations: !parity, bias: !parity };
  // Awaited here: the session ends with this scope.
  return await solveLayers(model, plan, context, sequence, (task) =>
    parity ? asAimet(task, candidates, errors) : finer(task, candidates, errors),
  );
}

async function finer(task: LayerTask, candidates: number, errors: RowErrors): Promise<LayerSolution> {
  const { layer, encoding: given } = task;
  const placed = roundingProblem(layer, task.weight, given, task.moments);
  const spanning = spanningEncoding(layer, task.entry);
  const factors = fractions(2 * candidates).map((f) => 0.2 + 0.9 * f);
  const { problem, encoding } = await withBestScales(placed, layer, { spanning, given, entry: task.entry }, errors, {
    factors,
  });
  return solution(layer, problem, encoding);
}

/** Both sides see the inputs of the quantized prefix: the error is that of the weight alone, on moments around zero. */
async function asAimet(task: LayerTask, candidates: number, errors: RowErrors): Promise<LayerSolution> {
  const { layer, entry } = task;
  const spanning = spanningEncoding(layer, entry);
  const moments = { ...task.moments, r: new Float64Array(task.moments.r.length) };
  const placed = roundingProblem(layer, task.weight, spanning, moments);
  const encodings = fractions(candidates).map((f) => shrunken(spanning, entry, f));
  const best = await bestCandidates(placed, layer, encodings, errors);
  const pick = (part: (e: Encoding) => readonly number[]) =>
    spanning.scale.map((_, slice) => part(encodings[best[slice]!]!)[slice]!);
  const encoding = { ...spanning, scale: pick((e) => e.scale), offset: pick((e) => e.offset) };
  return solution(layer, withEncoding(placed, layer, encoding), encoding);
}

/** The encoding of (min, max)·fraction of every slice, under the usual rule for ranges. */
function shrunken(spanning: Encoding, entry: PlanEntry, fraction: number): Encoding {
  const { scale, granularity } = spanning;
  const low = scale.map((_, i) => fraction * encodingMin(spanning, i));
  const high = scale.map((_, i) => fraction * encodingMax(spanning, i));
  return { ...encodingOfRange(low, high, { ...entry, granularity }), granularity };
}

function solution(layer: MatrixLayer, problem: RoundingProblem, encoding: Encoding): LayerSolution {
  const weight = dequantized(problem, layer, nearest(problem, roundHalfEven));
  return { weight, encoding, encodingOnly: true, note: "scales chosen by the error at its output" };
}
