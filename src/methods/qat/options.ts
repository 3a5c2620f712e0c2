/** The options of quantization-aware training. */
import { z } from "zod";

const positive = z.number().positive();

export const qatOptions = z
  .strictObject({
    epochs: z.number().int().positive().default(4).describe("Times that every sample is seen."),
    batch: z.number().int().positive().default(64).describe("Samples a step; all there are when they are fewer."),
    // Small, because training begins at a trained model.
    learningRate: positive.default(2e-4).describe("The largest rate; it falls along a cosine."),
    optimizer: z.enum(["adam", "adamw", "sgd"]).default("adam").describe("sgd has momentum 0.9."),
    weightDecay: z.number().nonnegative().optional().describe("Default 0; with adamw 0.01."),
    ranges: z
      .enum(["learned", "fixed"])
      .default("learned")
      .describe("Whether scales and ends of ranges are trained with the weights."),
    rangeRate: positive.default(1).describe("Multiplies the learning rate for scales and ranges."),
    batchNorms: z
      .enum(["none", "frozen", "learned"])
      .default("none")
      .describe(
        "Whether layers are trained with the batch norms that were folded into them: frozen keeps their statistics, learned lets them follow the quantized model.",
      ),
    labels: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe(
        "Share of the loss that looks at labels; the rest looks at the float model. Default 0.5, without labels 0.",
      ),
    compare: z
      .enum(["classes", "numbers"])
      .optional()
      .describe(
        "Outputs as scores of classes, or as numbers. Default: classes where a Softmax or classifier ends them, over its axis, or with labels.",
      ),
    temperature: positive.default(1).describe("Divides the scores before they are compared with the float model's."),
    smoothing: z.number().min(0).max(1).default(0).describe("Share of a label that is spread over all classes."),
    ignore: z.number().int().optional().describe("Elements with this label are not judged."),
    clipNorm: positive.optional().describe("The gradient is scaled down to this length."),
    flip: z.boolean().default(false).describe("Every second image is mirrored, by chance, left to right."),
    crop: z.number().int().nonnegative().default(0).describe("Pixels by which an image may move in every direction."),
  })
  .describe("Quantization-aware training: weights and ranges are trained behind the quantizers that will ship.");

export type QatOptions = z.input<typeof qatOptions>;
export type QatSettings = z.output<typeof qatOptions>;
