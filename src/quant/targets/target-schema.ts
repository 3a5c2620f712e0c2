/**
 * The file format of targets: AIMET's quantsim configuration, every key of it, and one section of our own ("avocet").
 * Unknown keys are errors: a misspelt key that is silently ignored costs a day.
 */
import { z } from "zod";
import type { GridUse } from "../grids/codec.ts";
import { isUsableGrid } from "../grids/grid.ts";
import { storageNames } from "../grids/storage-names.ts";

/** AIMET writes booleans as the texts "True" and "False"; JSON's own are taken too. */
const flag = z.union([z.boolean(), z.enum(["True", "False"])]);

const kernel = z.strictObject({
  bitwidth: z.union([z.literal(4), z.literal(8), z.literal(16), z.literal(32)]),
  dtype: z.enum(["int", "float"]),
});

const kernels = z.array(z.strictObject({ activation: kernel.optional(), param: kernel.optional() }));

const parameter = z.strictObject({ is_quantized: flag.optional(), is_symmetric: flag.optional() });

/** AIMET knows `is_output_quantized: "False"` of an operator only; of the defaults it knows "True" only. */
const operators = z.strictObject({
  is_input_quantized: flag.optional(),
  is_output_quantized: flag.optional(),
  is_symmetric: flag.optional(),
});

const operator = z.strictObject({
  ...operators.shape,
  per_channel_quantization: flag.optional(),
  params: z.record(z.string(), parameter).optional(),
  supported_kernels: kernels.optional(),
  encoding_constraints: z
    .strictObject({ min: z.number().optional(), max: z.number().optional() })
    .refine((range) => range.min !== undefined || range.max !== undefined, "expected a min or a max")
    .refine((range) => !(range.min! > range.max!), "expected min not above max")
    .optional(),
});

const gridFor = (use: GridUse) =>
  z.string().refine((name) => isUsableGrid(name, use), "expected a grid, for example uint8");

const reasons = z.record(z.string(), z.string());

/** What AIMET's format cannot say. */
const avocet = z.strictObject({
  description: z.string().optional().describe("One sentence for people."),
  activations: gridFor("activation").optional().describe("Grid of activations; default uint8."),
  weights: gridFor("weight").optional().describe("Grid of weights; default int8."),
  bias: z.enum(["int32", "float"]).optional().describe("How biases are stored; default float."),
  ties: z
    .strictObject({ output_takes_input: z.array(z.string()), inputs_take_output: z.array(z.string()) })
    .optional()
    .describe(
      "Operators whose output shares the encoding of the input, and the other way round. Default: AIMET's lists.",
    ),
  depthwise_supergroups: flag
    .optional()
    .describe("Whether supergroups begin with depthwise convolutions too; AIMET: no."),
  pair_safe_weights: flag
    .optional()
    .describe(
      "Scales of 8-bit weights grow until the sum of two neighbouring products with uint8 cannot exceed 16 bits.",
    ),
  short_scales: flag
    .optional()
    .describe(
      "Whether scales of grids of 8 bits and fewer get few significant bits, so that float sums of products are exact and no " +
        "sum ends half way between two steps. Default: with calibrations that AIMET does not have (sqnr, mse, entropy).",
    ),
  weight_block: z
    .number()
    .int()
    .min(2)
    .optional()
    .describe(
      "Inputs of a layer that share a scale of its weight, where they divide its inputs. Default: per_channel_quantization.",
    ),
  storage: z
    .union([z.enum(storageNames), z.array(z.enum(storageNames))])
    .optional()
    .describe(
      "What weights are stored for, the first that can hold one: matmulnbits, gatherblockquantized, dynamicint8, dynamicquantizelstm, castweights. Default: behind a DequantizeLinear.",
    ),
  signed_activations: flag
    .optional()
    .describe(
      "Whether int8 activations stay int8 in the file, with the zero point 0; default: they are counted from their lowest number.",
    ),
  narrow_weights: flag
    .optional()
    .describe(
      "Whether weights of 3 and 4 bits stay packed in front of DequantizeLinear; default: a Cast widens them as the file loads, so that integer kernels take them.",
    ),
  refuses: z
    .strictObject({
      activations: reasons.optional(),
      weights: reasons.optional(),
      storage: reasons.optional(),
    })
    .optional()
    .describe(
      "Grids by name, or by how the name begins (uint*), and storage forms that are refused, each with the reason.",
    ),
  integer_kernels: z
    .strictObject({
      linear: z.array(z.string()).describe("Operators whose integer kernel is worth quantizing their inputs for."),
      float_output: z.array(z.string()).describe("Of these, the ones whose integer kernel can give float."),
      follow: z.array(z.string()).describe("Operators quantized where their inputs are and their output is wanted."),
      least_input_channels: z
        .number()
        .int()
        .positive()
        .optional()
        .describe("Convolutions of fewer input channels (depthwise ones aside) are faster in float; default 1."),
      least_depthwise_channels: z
        .number()
        .int()
        .positive()
        .optional()
        .describe("Depthwise convolutions of fewer channels are faster in float; default 1."),
      merged_padding: z.array(z.string()).describe("Operators into which the runtime merges a Pad with zeros."),
    })
    .optional()
    .describe("With it, only what runs on integers is quantized, instead of every output."),
  float: z.record(z.string(), z.string()).optional().describe("Operators that stay float, each with the reason."),
});

export const targetSchema = z.strictObject({
  defaults: z.strictObject({
    ops: operators,
    params: parameter,
    strict_symmetric: flag.optional(),
    unsigned_symmetric: flag.optional(),
    per_channel_quantization: flag.optional(),
    supported_kernels: kernels.optional(),
    hw_version: z.string().optional(),
  }),
  params: z.record(z.string(), parameter),
  op_type: z.record(z.string(), operator),
  supergroups: z.array(z.strictObject({ op_list: z.array(z.string()).min(2) })),
  supergroup_pass_list: z.array(z.string()).optional(),
  model_input: z.strictObject({ is_input_quantized: flag.optional() }),
  model_output: z.strictObject({ is_output_quantized: flag.optional() }),
  avocet: avocet.optional(),
});

/** A target as written in a file. */
export type TargetFile = z.input<typeof targetSchema>;
