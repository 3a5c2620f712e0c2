/** Bias correction as a step of a recipe. */
import { planned } from "../step.ts";
import { correctBiases } from "./apply.ts";
import { biasCorrectionOptions } from "./options.ts";

export const biasCorrection = planned({
  name: "bias-correction",
  kind: "solve",
  options: biasCorrectionOptions,
  run: ({ decided, plan, prepared }, work, options) =>
    correctBiases(decided, plan, work, { ...options, reference: prepared }),
});
