/** What becomes of batch norms that stand alone. */
import { z } from "zod";

export const standaloneBatchNormOptions = z
  .strictObject({
    as: z
      .enum(["conv", "affine"])
      .default("conv")
      .describe("conv: depthwise convolutions (Mul and Add where there are no places); affine: Mul and Add."),
  })
  .describe("Batch norms that no layer takes in become operators that can be quantized.");

export type StandaloneBatchNormOptions = z.input<typeof standaloneBatchNormOptions>;
