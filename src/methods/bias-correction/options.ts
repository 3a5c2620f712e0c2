/** The options of bias correction. */
import { z } from "zod";
import { yes } from "../moment-options.ts";

export const biasCorrectionOptions = z
  .strictObject({
    kind: z
      .enum(["empirical", "one-pass", "analytic", "hybrid"])
      .optional()
      .describe(
        "Means from all data, layer by layer; from 64 samples, all layers in one pass; from batch norms; or from batch norms where there are some. Default empirical where there is data.",
      ),
    activations: yes.describe("Whether the shift of activation quantizers is taken back too."),
  })
  .describe("Biases take back the shift of each channel's mean that rounding caused.");
