/** How a recipe trains (`avocet train`): the options of the steps that training takes, next to each other. */
import { z } from "zod";
import { methodTable, qat } from "../methods/inner.ts";
import { readyStep, type Step } from "./methods.ts";

export const trainingSchema = qat.options
  .extend({
    reestimate: z
      .boolean()
      .default(false)
      .describe("Whether means and variances of folded batch norms are measured again after training."),
  })
  .describe("How `avocet train` trains.");

export type Training = z.infer<typeof trainingSchema>;

/** The steps that train. Default: with every default. */
export function trainingSteps(training: Training = trainingSchema.parse({})): readonly Step[] {
  const { reestimate, ...options } = training;
  const again = methodTable.find(({ name }) => name === "batch-norm-re-estimation")!;
  return [readyStep(qat, options), ...(reestimate ? [readyStep(again, {})] : [])];
}
