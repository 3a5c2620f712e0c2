/** Options that the methods on moments share. */
import { z } from "zod";

export const yes = z.boolean().default(true);

export const rowsPerColumn = z
  .number()
  .positive()
  .default(50)
  .describe("Patch rows that are sampled for each column of a layer's weight matrix; 50: about 2 % of sampling error.");

/** Of the methods that round layer by layer. */
export const layerOptions = {
  searchScales: yes.describe("Whether scales are searched on the moments first."),
  bias: yes.describe("Whether each layer gets the bias that is best for its rounded weights."),
  activations: yes.describe("Whether layers see the noise of activation quantizers before them."),
  rowsPerColumn,
};

/** Of the methods that push rounding variables to whole steps with a growing exponent. */
export const annealing = {
  warmStart: z.number().min(0).max(1).default(0.2).describe("Share of the iterations without the rounding term."),
  beta: z
    .tuple([z.number().positive(), z.number().positive()])
    .default([20, 2])
    .describe("The exponent of the rounding term at its begin and its end."),
};
