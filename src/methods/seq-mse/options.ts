/** The options of SeqMSE. */
import { z } from "zod";
import { rowsPerColumn } from "../moment-options.ts";

export const seqMseOptions = z
  .strictObject({
    candidates: z.number().int().min(1).default(20).describe("Shrunken ranges that each slice tries."),
    search: z
      .enum(["fine", "aimet"])
      .default("fine")
      .describe(
        "aimet: its candidates, loss and order, the same inputs for both sides, no bias; fine: a finer grid, judged against the float inputs at the best bias.",
      ),
    rowsPerColumn,
  })
  .describe("Scales of weights are chosen by the error at the layer's output; weights are rounded to nearest.");

export type SeqMseOptions = z.input<typeof seqMseOptions>;
