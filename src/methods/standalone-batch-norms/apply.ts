/**
 * Batch norms that no layer can take in, for example between two nonlinearities: runtimes have no integer kernel for them. As
 * depthwise convolutions of points, or as Mul and Add, they compute the same.
 */

import { cloneModel, type Model } from "../../ir/inner.ts";
import { rewriteBatchNorms, runPass } from "../../passes/inner.ts";
import type { PreparationContext, Prepared } from "../method.ts";
import { optionsOf } from "../step.ts";
import { type StandaloneBatchNormOptions, standaloneBatchNormOptions } from "./options.ts";

/** Rewrites the batch norms of a normalised model, which are those that could not be folded. The given model is not changed. */
export async function rewriteStandaloneBatchNorms(
  model: Model,
  _context: PreparationContext,
  given: StandaloneBatchNormOptions = {},
): Promise<Prepared> {
  const options = optionsOf("standalone-batch-norms", standaloneBatchNormOptions, given);
  const copy = cloneModel(model);
  const { edits, milliseconds, refusals } = await runPass(copy, rewriteBatchNorms(options));
  const made = options.as === "affine" ? "Mul and Add" : "depthwise convolutions";
  const notes = [
    edits === 0 ? "no batch norm stands alone" : `${edits} batch norms became ${made}`,
    ...refusals.map(({ node, reason }) => `${node}: left alone: ${reason}`),
  ];
  return { model: copy, report: { step: "standalone-batch-norms", edits, seconds: milliseconds / 1000, notes } };
}
