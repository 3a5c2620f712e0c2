/** The options of block-wise reconstruction. */
import { z } from "zod";
import { annealing, yes } from "../moment-options.ts";
import { optionsOf } from "../step.ts";

const count = z.number().int().min(1);

export const reconstructionOptions = z
  .strictObject({
    granularity: z
      .enum(["block", "layer"])
      .default("block")
      .describe("What is reconstructed as one: blocks of the graph, or single layers."),
    // Three times as many gave nothing more where weights start rounded.
    iterations: count.default(300).describe("Steps of Adam a block."),
    learningRate: z
      .number()
      .positive()
      .default(0.01)
      .describe("Of the rounding variables; biases, ranges and scales take parts of it."),
    batch: count.default(16).describe("Samples a step, fewer where activations are large."),
    start: z
      .enum(["adaround", "nearest"])
      .default("adaround")
      .describe("Where weights start that nobody has rounded yet: at what AdaRound on moments finds, or at nearest."),
    drop: z
      .number()
      .min(0)
      .max(1)
      .default(0)
      .describe("Share of elements that pass without their activation quantizer while training (QDrop takes 0.5)."),
    inputs: z
      .enum(["quantized", "float", "mixed"])
      .optional()
      .describe(
        "What a block is trained on: what the quantized blocks before give, what float has there, or element by element one of them. Default mixed where something is dropped, else quantized.",
      ),
    weighting: z
      .enum(["none", "fisher"])
      .default("none")
      .describe("fisher: channels count as much as they move the model's outputs."),
    judge: z
      .enum(["outputs", "block"])
      .default("outputs")
      .describe(
        "Whose error on samples set aside decides whether a block keeps what it learned; block spares two runs of the rest of the model a block.",
      ),
    ranges: yes.describe("Whether ranges of activations are learned."),
    weightScales: yes.describe("Whether scales of weights are learned."),
    biases: yes.describe("Whether biases are learned."),
    // With few steps a small one leaves weights undecided until the end, and cutting them off then costs more than training has won.
    lambda: z
      .number()
      .nonnegative()
      .default(50)
      .describe("Weight of the rounding term next to an error that is 1 where the block starts."),
    ...annealing,
    most: count.default(8).describe("More linear layers than that are never one block."),
  })
  .describe("Block by block, rounding, biases and ranges are learned so that each block gives what it gave in float.");

export type ReconstructionOptions = z.input<typeof reconstructionOptions>;
export type Settings = z.output<typeof reconstructionOptions> & { inputs: "quantized" | "float" | "mixed" };

/** The options with their defaults. */
export function settingsOf(options: ReconstructionOptions): Settings {
  const given = optionsOf("reconstruction", reconstructionOptions, options);
  return { ...given, inputs: given.inputs ?? (given.drop > 0 ? "mixed" : "quantized") };
}
