/** What block-wise reconstruction can be told. */

export interface ReconstructionOptions {
  /** What is reconstructed as one: blocks of the graph, or single layers. Default "block". */
  readonly granularity?: "block" | "layer";
  /** Steps of Adam a block. Default 1,000. */
  readonly iterations?: number;
  /** Of the rounding variables; biases, ranges and scales take parts of it. Default 0.01. */
  readonly learningRate?: number;
  /** Samples a step. Default 32, fewer where activations are large. */
  readonly batch?: number;
  /**
   * Where rounding starts: at what AdaRound on moments found for the weights that nobody has rounded yet, or at nearest
   * rounding. Weights that are rounded already stay where they are. Default "adaround".
   */
  readonly start?: "adaround" | "nearest";
  /** Probability with which an element passes without its activation quantizer while training (QDrop). Default 0.5. */
  readonly drop?: number;
  /**
   * What a block is trained on: what the quantized blocks before give, what the float model has there, or element by element
   * one or the other at even odds (QDrop). Default "mixed" where something is dropped, else "quantized".
   */
  readonly inputs?: "quantized" | "float" | "mixed";
  /** Channels of a block's output count as much as they move the model's outputs ("fisher"), or all the same. Default "none". */
  readonly weighting?: "none" | "fisher";
  /** Whether ranges of activations are learned. Default true. */
  readonly ranges?: boolean;
  /** Whether scales of weights are learned too. Default false: they are searched before. */
  readonly weightScales?: boolean;
  /** Whether biases are learned. Default true. */
  readonly biases?: boolean;
  /** Weight of the rounding term beside an error that is 1 where the block starts. Default 1. */
  readonly lambda?: number;
  /** Share of the iterations without the rounding term. Default 0.2. */
  readonly warmStart?: number;
  /** β from … to. Default [20, 2]. */
  readonly beta?: readonly [number, number];
  /** More linear layers than that are never one block. Default 8. */
  readonly most?: number;
}

export type Settings = Required<ReconstructionOptions>;

/** The options with their defaults. */
export function settingsOf(options: ReconstructionOptions): Settings {
  const { drop = 0.5 } = options;
  return {
    granularity: "block",
    iterations: 1000,
    learningRate: 0.01,
    batch: 32,
    start: "adaround",
    inputs: drop > 0 ? "mixed" : "quantized",
    weighting: "none",
    ranges: true,
    weightScales: false,
    biases: true,
    lambda: 1,
    warmStart: 0.2,
    beta: [20, 2],
    most: 8,
    ...options,
    drop,
  };
}
