/** Bias correction as a step of a recipe. */
import { solver } from "../step.ts";
import { correctBiases } from "./apply.ts";
import { biasCorrectionOptions } from "./options.ts";

export const biasCorrection = solver({
  name: "bias-correction",
  options: biasCorrectionOptions,
  run: (decided, plan, work, options, prepared) =>
    correctBiases(decided, plan, work, { ...options, reference: prepared }),
});
