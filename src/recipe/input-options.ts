/** What a recipe says of a model's inputs, by name. */
import { z } from "zod";

const numbers = z.union([z.number(), z.array(z.number()).min(1)]);

export const inputSchema = z
  .strictObject({
    batch: z
      .number()
      .int()
      .nonnegative()
      .nullable()
      .optional()
      .describe("The axis that counts samples; null: one tensor for all samples. Default: found from the model."),
    constant: z.number().optional().describe("Fills the input with this number, for all samples."),
    state: z
      .string()
      .optional()
      .describe(
        "The output that is the input's value in the next step. It begins with zeros, a length that is free with none.",
      ),
    low: numbers
      .optional()
      .describe("Preset data-free: the least number the input can hold; one number, or one per channel."),
    high: numbers.optional().describe("Preset data-free: the largest number the input can hold."),
    mean: numbers.optional().describe("Default: the middle of the range."),
    deviation: numbers.optional().describe("Default: that of numbers spread evenly over the range."),
    axis: z.number().int().nonnegative().optional().describe("The axis of the channels. Default 1."),
  })
  .superRefine(({ low, high, mean, deviation, axis, constant, state }, context) => {
    const fault = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message });
    if ((low === undefined) !== (high === undefined))
      fault(low === undefined ? "low" : "high", "expected low and high together");
    const alone = Object.entries({ mean, deviation, axis }).find(([, value]) => value !== undefined)?.[0];
    if (low === undefined && high === undefined && alone) fault(alone, "expected low and high next to it");
    if (constant !== undefined && state !== undefined) fault("constant", "expected either constant or state");
  });

export type InputOptions = z.infer<typeof inputSchema>;
