/** Re-estimation of folded batch norms as a step of a recipe. */
import { noOptions, solver } from "../step.ts";
import { reestimateFoldedBatchNorms } from "./folded.ts";

export const batchNormReestimation = solver({
  name: "batch-norm-re-estimation",
  options: noOptions.describe(
    "Channels of layers that had a batch norm get back the mean and the variance that they have in float.",
  ),
  run: (decided, plan, work, _options, prepared) =>
    reestimateFoldedBatchNorms(decided, plan, work, { reference: prepared }),
});
