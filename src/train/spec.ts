/** What a training step is made of, as data. */
import type { GradientRow } from "../autodiff/inner.ts";
import type { Model } from "../ir/inner.ts";
import type { Feeds } from "../tensor/inner.ts";
import type { Loss } from "./loss.ts";
import type { Optimizer } from "./optimizer.ts";

/** What is trained alike. */
export interface ParameterGroup {
  /** Constants of the model, or inputs that get a first value in `initial`; float32. */
  readonly names: readonly string[];
  /** Multiplies the learning rate. Default 1. */
  readonly rate?: number;
  /** Weight decay (λ of λ/2 · Σ p²). Default: that of the optimizer. */
  readonly weightDecay?: number;
  /** λ of λ · Σ |p|, which is added to the loss. Default 0. */
  readonly l1?: number;
  /** No parameter of the group goes below it: scales must stay positive. Default: none. */
  readonly atLeast?: number;
}

/** A constant that each forward pass renews, such as the running mean of a batch norm. */
export interface RunningState {
  /** The constant, float32. */
  readonly name: string;
  /** The value of the graph that it gets for the next step. */
  readonly next: string;
}

export interface TrainingSpec {
  /** Normalised, opset 21 or later. It is not changed. */
  readonly model: Model;
  /** Inputs and targets of one step: their shapes are those of every step. */
  readonly example: Feeds;
  readonly groups: readonly ParameterGroup[];
  /** First values of what is trained; needed where it is an input, else the model's own. */
  readonly initial?: Feeds;
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  /** The gradient of all groups together is scaled down to this length. Default: it is left as it is. */
  readonly clipNorm?: number;
  /** Steps whose gradients are averaged before an update. Default 1. */
  readonly accumulate?: number;
  readonly states?: readonly RunningState[];
  /** Values that a step returns next to the loss. */
  readonly outputs?: readonly string[];
  /**
   * "fast" (the default) uses the blocked layout of ONNX Runtime where it has one; "standard" keeps to operators that every
   * runtime has, and is the reference. Both compute the same but for rounding.
   */
  readonly kernels?: "fast" | "standard";
  /** Gradient rules by operator name that come before the built-in ones. */
  readonly rules?: ReadonlyMap<string, GradientRow>;
  /** Bytes of forward values that may wait for the backward pass; more is computed again. Default: all are held. */
  readonly memory?: number;
}
