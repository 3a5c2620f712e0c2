/** What a program may say of a run that is no part of its recipe. */
import type { Checkpoint, Work } from "../base/inner.ts";
import type { Statistics } from "../quant/inner.ts";
import type { Scorer } from "./scorer.ts";

export interface QuantizeOptions extends Work {
  readonly threads?: number;
  /**
   * Where what is finished is kept, and taken from when the same run starts again: calibrations, each layer that a method
   * decided, and scores. It must be of this very run: see `openCheckpointFolder`.
   */
  readonly checkpoint?: Checkpoint;
  /**
   * What decides where a preset tries steps and keeps those that help ("best", "data-free"). It may work in other threads
   * (`scorerThrough`). Default: in this thread the SQNR of the outputs, in dB, on samples set aside from the calibration data;
   * without data on noise.
   */
  readonly scorer?: Scorer;
  /** What was seen of the float model's values elsewhere: ranges are found from it, and data, if there is any, only judges. */
  readonly statistics?: Statistics;
}
