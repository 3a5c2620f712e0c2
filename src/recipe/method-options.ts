/** The methods that a recipe can name, and the options of each: what is checked, and what editors offer. */
import { z } from "zod";
import { didYouMean } from "../base/index.ts";

const whole = z.number().int().nonnegative();
const yes = z.boolean().optional();
const rowsPerColumn = z
  .number()
  .positive()
  .optional()
  .describe(
    "Patch rows that are sampled for each column of a layer's weight matrix. Default 50: about 2 % of sampling error.",
  );
const searchScales = yes.describe("Whether scales are searched on the moments first. Default true.");
const bias = yes.describe("Whether each layer gets the bias that is best for its rounded weights. Default true.");
const activations = yes.describe("Whether layers see the noise of activation quantizers before them. Default true.");

/** One step of a recipe: the name of a method, and its options beside it. */
export const methodSchema = z.discriminatedUnion(
  "method",
  [
    z
      .strictObject({ method: z.literal("dead-channels") })
      .describe("Channels that can only be constant are folded into what reads them, where that is exact."),
    z
      .strictObject({
        method: z.literal("standalone-batch-norms"),
        as: z.enum(["conv", "affine"]).optional().describe("Depthwise convolutions (the default), or Mul and Add."),
      })
      .describe("Batch norms that no layer takes in become operators that can be quantized."),
    z
      .strictObject({
        method: z.literal("cle"),
        objective: z
          .enum(["ranges", "noise"])
          .optional()
          .describe(
            "ranges: equal ranges of weights, as AIMET; noise (the default): least noise of weights and activations.",
          ),
      })
      .describe("Cross-layer equalization: channels are scaled so that weights suit their grids; the function stays."),
    z
      .strictObject({ method: z.literal("high-bias") })
      .describe("High biases that a Relu never cuts off move into the layers that read them."),
    z
      .strictObject({
        method: z.literal("adaround"),
        iterations: whole
          .optional()
          .describe("Steps of Adam a layer; 0 leaves coordinate descent alone. Default 1,000."),
        learningRate: z.number().positive().optional().describe("Default 0.01."),
        lambda: z.number().nonnegative().optional().describe("Weight of the rounding term. Default 0.1."),
        warmStart: z.number().min(0).max(1).optional().describe("Share of the iterations without it. Default 0.2."),
        beta: z
          .tuple([z.number().positive(), z.number().positive()])
          .optional()
          .describe("The exponent of the rounding term at its begin and its end. Default [20, 2]."),
        descent: yes.describe("Whether coordinate descent finishes what the gradient began. Default true."),
        searchScales,
        bias,
        activations,
        rowsPerColumn,
      })
      .describe("Weights are rounded up or down so that what their layer gives stays close to float."),
    z
      .strictObject({
        method: z.literal("seqmse"),
        candidates: whole.min(1).optional().describe("Shrunken ranges that each slice tries. Default 20."),
        search: z
          .enum(["fine", "aimet"])
          .optional()
          .describe(
            "aimet: its candidates, loss and order; fine (the default): a finer grid against the float inputs.",
          ),
        rowsPerColumn,
      })
      .describe("Scales of weights are chosen by the error at the layer's output; weights are rounded to nearest."),
    z
      .strictObject({
        method: z.literal("gptq"),
        damping: z
          .number()
          .positive()
          .optional()
          .describe("Share of the mean diagonal of H that is added. Default 0.01."),
        activationOrder: yes.describe("Whether columns of large second moment are rounded first. Default true."),
        searchScales,
        bias,
        activations,
        rowsPerColumn,
      })
      .describe("Columns are rounded one after the other, and the error of each is spread over the rest."),
    z
      .strictObject({
        method: z.literal("reconstruction"),
        granularity: z
          .enum(["block", "layer"])
          .optional()
          .describe("What is reconstructed as one: blocks of the graph (the default), or single layers."),
        iterations: whole.min(1).optional().describe("Steps of Adam a block. Default 300."),
        learningRate: z.number().positive().optional().describe("Of the rounding variables. Default 0.01."),
        batch: whole.min(1).optional().describe("Samples a step. Default 16, fewer where activations are large."),
        start: z
          .enum(["adaround", "nearest"])
          .optional()
          .describe("Where weights start that nobody has rounded yet. Default adaround."),
        drop: z
          .number()
          .min(0)
          .max(1)
          .optional()
          .describe("Share of elements that pass without their activation quantizer while training. Default 0."),
        inputs: z
          .enum(["quantized", "float", "mixed"])
          .optional()
          .describe("What a block is trained on. Default mixed where something is dropped, else quantized."),
        weighting: z
          .enum(["none", "fisher"])
          .optional()
          .describe("fisher: channels count as much as they move the model's outputs. Default none."),
        judge: z
          .enum(["outputs", "block"])
          .optional()
          .describe("Whose error on samples set aside decides whether a block keeps what it learned. Default outputs."),
        ranges: yes.describe("Whether ranges of activations are learned. Default true."),
        weightScales: yes.describe("Whether scales of weights are learned. Default true."),
        biases: yes.describe("Whether biases are learned. Default true."),
        lambda: z.number().nonnegative().optional().describe("Weight of the rounding term. Default 50."),
        warmStart: z.number().min(0).max(1).optional().describe("Share of the iterations without it. Default 0.2."),
        beta: z
          .tuple([z.number().positive(), z.number().positive()])
          .optional()
          .describe("The exponent of the rounding term at its begin and its end. Default [20, 2]."),
        most: whole.min(1).optional().describe("More linear layers than that are never one block. Default 8."),
      })
      .describe(
        "Block by block, rounding, biases and ranges are learned so that each block gives what it gave in float.",
      ),
    z
      .strictObject({ method: z.literal("batch-norm-re-estimation") })
      .describe("Channels of layers that had a batch norm get back the mean and the variance that they have in float."),
    z
      .strictObject({
        method: z.literal("bias-correction"),
        kind: z
          .enum(["empirical", "analytic", "hybrid"])
          .optional()
          .describe("Mean inputs from data (the default), from batch norms, or from batch norms where there are some."),
        activations: yes.describe("Whether the shift of activation quantizers is taken back too. Default true."),
      })
      .describe("Biases take back the shift of each channel's mean that rounding caused."),
  ],
  {
    error: (issue) =>
      issue.code === "invalid_union" ? unknownMethod((issue.input as { method?: unknown } | null)?.method) : undefined,
  },
);

export type MethodStep = z.infer<typeof methodSchema>;

function unknownMethod(method: unknown): string {
  const hint = didYouMean(method, methodNames);
  const got = typeof method === "string" ? `, got "${method}"` : "";
  return `expected one of the methods ${methodNames.join(", ")}${got}${hint ? ` (${hint})` : ""}`;
}

/** The names that `--method` and recipes know. */
export const methodNames: readonly string[] = methodSchema.options.map((option) => option.shape.method.value);
