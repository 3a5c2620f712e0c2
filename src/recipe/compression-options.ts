/** How a recipe makes the float model smaller before it is quantized, and how that model learns again what it lost. */
import { z } from "zod";
import { AvocetError } from "../base/inner.ts";
import { compressionSchemes } from "../compress/inner-files.ts";
import { checkSchema } from "../data/inner-files.ts";
import { qat } from "../methods/inner.ts";

const share = z.number().gt(0).lt(1);

export const fineTuningSchema = qat.options
  .omit({ ranges: true, rangeRate: true, batchNorms: true })
  .describe("How a compressed model is trained in float, with the original as teacher.");

export type FineTuning = z.output<typeof fineTuningSchema>;
export type FineTuningInput = z.input<typeof fineTuningSchema>;

/** Checks how to fine-tune and fills the defaults. Throws `recipe/invalid` with every fault at once. */
export function parseFineTuning(given: unknown): FineTuning {
  const result = checkSchema(fineTuningSchema, given);
  if ("value" in result) return result.value;
  throw new AvocetError("recipe/invalid", `fine-tuning has faults:\n${result.faults}`, {
    at: "--finetune",
    hint: "epochs=10,temperature=4,flip=true,crop=4: docs/compression.md",
  });
}

export const compressionSchema = z
  .strictObject({
    macs: share.optional().describe("Share of the multiply-accumulates that may stay."),
    parameters: share.optional().describe("Share of the parameters that may stay."),
    ratios: z.record(z.string(), share).optional().describe("Layers by name, and the share of the cost of each."),
    schemes: z.array(z.enum(compressionSchemes)).min(1).optional().describe("Default: all that split layers."),
    fit: z.enum(["moments", "plain"]).default("moments").describe("Least squares on data, or singular values alone."),
    multiple: z.number().int().positive().default(1).describe("Ranks and numbers of channels are multiples of it."),
    ignore: z.array(z.string()).default([]).describe("Layers that stay as they are."),
    samples: z
      .union([z.number().int().positive(), z.string()])
      .default(500)
      .describe("Samples that layers are fitted on."),
    finetune: fineTuningSchema.optional().describe("Train the smaller model in float. Default: it is not trained."),
  })
  .refine(
    ({ macs, parameters, ratios }) => [macs, parameters, ratios].filter((one) => one !== undefined).length === 1,
    {
      error: "expected one of macs, parameters and ratios",
    },
  )
  .describe("The float model is made smaller first, and quantized then.");

export type Compression = z.output<typeof compressionSchema>;
