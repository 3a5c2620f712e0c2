/** What of a transformer is rotated. */
import { z } from "zod";

export const spinQuantOptions = z
  .object({
    residual: z.boolean().default(true).describe("R1: the residual stream; weights take the rotation in"),
    values: z
      .boolean()
      .default(true)
      .describe("R2: the values of attention, head by head; weights take the rotation in"),
    scores: z
      .boolean()
      .default(false)
      .describe("R3: queries and keys, computed when the model runs; for activations or caches of few bits"),
    hidden: z
      .boolean()
      .default(false)
      .describe("R4: what the last layer of an MLP reads, computed when the model runs; for activations of few bits"),
    seed: z.number().int().min(0).default(0).describe("the signs of the rotations"),
  })
  .strict()
  .describe(
    "Outliers of transformers are spread over all channels by rotations that cancel: SpinQuant with fixed matrices.",
  );

export type SpinQuantOptions = z.input<typeof spinQuantOptions>;
