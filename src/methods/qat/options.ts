/** The options of quantization-aware training, with their defaults. */
import type { Optimizer } from "../../train/inner.ts";

export interface QatOptions {
  /** Times that every sample is seen. Default 4. */
  readonly epochs?: number;
  /** Samples a step. Default 64, or all there are when they are fewer. */
  readonly batch?: number;
  /** Largest learning rate; it falls along a cosine. Default 2e-4: small, because training begins at a trained model. */
  readonly learningRate?: number;
  /** Default adam. */
  readonly optimizer?: Optimizer;
  /** "learned": scales and ends of ranges are trained with the weights; "fixed": the plan's stay. Default "learned". */
  readonly ranges?: "learned" | "fixed";
  /** Multiplies the learning rate for scales and ranges. Default 1. */
  readonly rangeRate?: number;
  /**
   * "learned": layers get the batch norms back that were folded into them, with statistics that follow the quantized model;
   * "frozen": with the statistics that they had; "none": folded weights are trained. Default "none".
   */
  readonly batchNorms?: "none" | "frozen" | "learned";
  /** Share of the loss that looks at labels; the rest looks at the float model. Default: 0.5 with labels, 0 without. */
  readonly labels?: number;
  /**
   * Outputs as scores of classes, or as numbers. Default: classes where a Softmax or the layer of a classifier ends them (over its
   * axis), or with labels; else numbers.
   */
  readonly compare?: "classes" | "numbers";
  /** Default 1. */
  readonly temperature?: number;
  /** Share of a label that is spread over all classes. Default 0. */
  readonly smoothing?: number;
  /** Places with this label are not judged. */
  readonly ignore?: number;
  /** The gradient is scaled down to this length. Default: it is left as it is. */
  readonly clipNorm?: number;
  /** Whether every second image is mirrored, by chance, left to right. Default false. */
  readonly flip?: boolean;
  /** Pixels by which an image may move in every direction. Default 0. */
  readonly crop?: number;
}
