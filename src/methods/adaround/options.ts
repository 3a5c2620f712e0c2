/** The options of AdaRound on moments. */
import { z } from "zod";
import { annealing, layerOptions, yes } from "../moment-options.ts";

const { searchScales, bias, activations, rowsPerColumn } = layerOptions;

export const adaroundOptions = z
  .strictObject({
    iterations: z
      .number()
      .int()
      .nonnegative()
      .default(1000)
      .describe("Steps of Adam a layer; 0 leaves coordinate descent alone."),
    // Ten times AIMET's, which independent replications found better.
    learningRate: z.number().positive().default(0.01).describe("Of the rounding variables."),
    lambda: z
      .number()
      .nonnegative()
      .default(0.1)
      .describe("Weight of the rounding term next to an error that is 1 where every weight is off by a whole step."),
    ...annealing,
    coarseOnly: z
      .boolean()
      .default(false)
      .describe(
        "Only weights of fewer than 8 bits or with one scale for all channels; others lose little by nearest rounding.",
      ),
    descent: yes.describe("Whether coordinate descent finishes what the gradient began."),
    searchScales,
    bias,
    activations,
    rowsPerColumn,
  })
  .describe("Weights are rounded up or down so that what their layer gives stays close to float.");

export type AdaRoundOptions = z.input<typeof adaroundOptions>;
