/** How a recipe trains (`avocet train`): the options of quantization-aware training, checked, and described for editors. */
import { z } from "zod";

const rate = z.number().positive().optional();

export const trainingSchema = z
  .strictObject({
    epochs: z.number().int().positive().optional().describe("Times that every sample is seen. Default 4."),
    batch: z.number().int().positive().optional().describe("Samples a step. Default 64."),
    learningRate: rate.describe("The largest rate; it falls along a cosine. Default 0.0002."),
    optimizer: z.enum(["adam", "adamw", "sgd"]).optional().describe("sgd has momentum 0.9. Default adam."),
    weightDecay: z.number().nonnegative().optional().describe("Default 0; with adamw 0.01."),
    ranges: z
      .enum(["learned", "fixed"])
      .optional()
      .describe("Whether scales and ends of ranges are trained with the weights. Default learned."),
    rangeRate: rate.describe("Multiplies the learning rate for scales and ranges. Default 1."),
    batchNorms: z
      .enum(["none", "frozen", "learned"])
      .optional()
      .describe("Whether layers are trained with the batch norms that were folded into them. Default none."),
    reestimate: z
      .boolean()
      .optional()
      .describe("Whether means and variances of folded batch norms are measured again after training. Default false."),
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
        "Outputs as scores of classes, or as numbers. Default: classes where a Softmax or classifier ends them.",
      ),
    temperature: rate.describe("Divides the scores before they are compared with the float model's. Default 1."),
    smoothing: z.number().min(0).max(1).optional().describe("Share of a label that is spread over all classes."),
    ignore: z.number().int().optional().describe("Places with this label are not judged."),
    clipNorm: rate.describe("The gradient is scaled down to this length."),
    flip: z.boolean().optional().describe("Every second image is mirrored, by chance."),
    crop: z.number().int().nonnegative().optional().describe("Pixels by which an image may move. Default 0."),
  })
  .describe("How `avocet train` trains.");

export type Training = z.infer<typeof trainingSchema>;
