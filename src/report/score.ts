/** What the two scores of a run say, whatever their unit and whichever way is better. */
import type { ScoreReport } from "./run-report.ts";

/** How much worse the quantized model scores, in the metric's unit; below zero it is better. */
export function scoreLoss({ better, float, quantized }: Pick<ScoreReport, "better" | "float" | "quantized">): number {
  const lost = better === "higher" ? float - quantized : quantized - float;
  // Two infinite ratios are equal.
  return Number.isNaN(lost) && float === quantized ? 0 : lost;
}

/** Losses, in the metric's unit. */
export interface Bounds {
  /** Less is no difference. */
  readonly same: number;
  /** Less is not worth a remedy. */
  readonly noticeable: number;
  /** What a good result loses at most. */
  readonly bearable: number;
  /** More is bad. */
  readonly bad: number;
}

/**
 * Shares: a point is bearable. Decibels: a tenth, which is what papers on super-resolution argue about. Other units: a hundredth of
 * float's score.
 */
export function lossBounds({ unit, float }: Pick<ScoreReport, "unit" | "float">): Bounds {
  const scale = unit === "%" ? 1 : unit === "dB" ? 10 : Math.abs(float);
  return { same: 5e-5 * scale, noticeable: 0.005 * scale, bearable: 0.01 * scale, bad: 0.02 * scale };
}
