/** The options of cross-layer equalization. */
import { z } from "zod";

export const equalizeOptions = z
  .strictObject({
    objective: z
      .enum(["ranges", "noise"])
      .optional()
      .describe(
        "ranges: equal ranges of weights, as AIMET; noise: least noise of weights and activations. Default noise where there is data, or batch norms tell.",
      ),
  })
  .describe("Cross-layer equalization: channels are scaled so that weights suit their grids; the function stays.");
