/** Batch norms that stand alone as a step of a recipe. */
import { preparation } from "../step.ts";
import { rewriteStandaloneBatchNorms } from "./apply.ts";
import { standaloneBatchNormOptions } from "./options.ts";

export const standaloneBatchNorms = preparation({
  name: "standalone-batch-norms",
  options: standaloneBatchNormOptions,
  run: rewriteStandaloneBatchNorms,
});
