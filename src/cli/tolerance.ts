/** `--max-drop`: how much worse a score may become, in the unit of its metric or as a share of float's score. */
import { AvocetError } from "../base/inner.ts";
import type { ScoreReport } from "../report/inner.ts";

export interface Tolerance {
  /** In the metric's unit; a fraction where `of` is "float" and for metrics in %. */
  readonly amount: number;
  readonly of: "unit" | "float";
  /** The unit that was written behind the number; absent: that of the metric, whichever it is. */
  readonly unit?: string;
  /** As it was given. */
  readonly text: string;
}

/** `0.01`, `0.5dB`, or `2%`. Throws `usage/bad-value`. */
export function tolerance(text: string): Tolerance {
  const [, number, unit = ""] = /^\s*(\d*\.?\d+(?:e-?\d+)?)\s*(\D*?)\s*$/i.exec(text) ?? [];
  const amount = Number(number);
  if (number === undefined || !Number.isFinite(amount)) {
    throw new AvocetError("usage/bad-value", `expected an amount, got "${text}"`, {
      at: "--max-drop",
      hint: "0.01 (one point of a share, or in the unit of the metric), 0.5dB, or 2% (of float's score; points of a share)",
    });
  }
  if (unit === "%") return { amount: amount / 100, of: "float", text };
  return { amount, of: "unit", text, ...(unit === "" ? {} : { unit }) };
}

/** Throws `usage/bad-value` where a tolerance does not fit the unit of the metric. */
export function expectFitting(
  { amount, of, unit, text }: Tolerance,
  metric: Pick<ScoreReport, "metric" | "unit">,
): void {
  if (unit !== undefined && unit !== metric.unit) {
    const own = metric.unit === "" ? "no unit" : metric.unit;
    throw new AvocetError("usage/bad-value", `expected an amount in ${own} for ${metric.metric}, got "${text}"`, {
      at: "--max-drop",
    });
  }
  if (of === "unit" && metric.unit === "%" && amount > 1) {
    throw new AvocetError("usage/bad-value", `expected a fraction between 0 and 1, got "${text}"`, {
      at: "--max-drop",
    });
  }
}

/** How far a score may fall (or an error rise), in the metric's unit. */
export function limitOf({ amount, of }: Tolerance, { unit, float }: Pick<ScoreReport, "unit" | "float">): number {
  // A score in % is a share already: one per cent of it is said in points.
  return of === "unit" || unit === "%" ? amount : amount * Math.abs(float);
}
