/** What block-wise reconstruction can be told. */

export interface ReconstructionOptions {
  /** What is reconstructed as one: blocks of the graph, or single layers. Default "block". */
  readonly granularity?: "block" | "layer";
  /** Steps of Adam a block. Default 300: three times as many gave nothing more where weights start rounded. */
  readonly iterations?: number;
  /** Of the rounding variables; biases, ranges and scales take parts of it. Default 0.01. */
  readonly learningRate?: number;
  /** Samples a step. Default 16, fewer where activations are large. */
  readonly batch?: number;
  /**
   * Where rounding starts: at what AdaRound on moments found for the weights that nobody has rounded yet, or at nearest
   * rounding. Weights that are rounded already stay where they are. Default "adaround".
   */
  readonly start?: "adaround" | "nearest";
  /** Probability with which an element passes without its activation quantizer while training (QDrop, which takes 0.5). Default 0. */
  readonly drop?: number;
  /**
   * What a block is trained on: what the quantized blocks before give, what the float model has there, or element by element
   * one or the other at even odds (QDrop). Default "mixed" where something is dropped, else "quantized".
   */
  readonly inputs?: "quantized" | "float" | "mixed";
  /** Channels of a block's output count as much as they move the model's outputs ("fisher"), or all the same. Default "none". */
  readonly weighting?: "none" | "fisher";
  /**
   * What decides whether a block keeps what it learned, on samples set aside: the error of the model's outputs, or of the block's.
   * Default "outputs"; "block" spares two runs of the rest of the model for each block.
   */
  readonly judge?: "outputs" | "block";
  /** Whether ranges of activations are learned. Default true. */
  readonly ranges?: boolean;
  /** Whether scales of weights are learned too. Default true. */
  readonly weightScales?: boolean;
  /** Whether biases are learned. Default true. */
  readonly biases?: boolean;
  /**
   * Weight of the rounding term beside an error that is 1 where the block starts. Default 50: with few steps a small one
   * leaves weights undecided until the end, and cutting them off then costs more than training has won.
   */
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
  const { drop = 0 } = options;
  return {
    granularity: "block",
    iterations: 300,
    learningRate: 0.01,
    batch: 16,
    start: "adaround",
    inputs: drop > 0 ? "mixed" : "quantized",
    weighting: "none",
    judge: "outputs",
    ranges: true,
    weightScales: true,
    biases: true,
    lambda: 50,
    warmStart: 0.2,
    beta: [20, 2],
    most: 8,
    ...options,
    drop,
  };
}
