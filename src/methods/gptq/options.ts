/** The options of GPTQ. */
import { z } from "zod";
import { layerOptions, yes } from "../moment-options.ts";

export const gptqOptions = z
  .strictObject({
    // The paper's.
    damping: z.number().positive().default(0.01).describe("Share of the mean diagonal of H that is added."),
    activationOrder: yes.describe("Whether columns of large second moment are rounded first."),
    ...layerOptions,
  })
  .describe("Columns are rounded one after the other, and the error of each is spread over the rest.");

export type GptqOptions = z.input<typeof gptqOptions>;
