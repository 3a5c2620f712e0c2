/** What sees the numbers of one value, batch by batch, and proposes scale and offset for a grid. */
import { AvocetError } from "../../base/inner.ts";
import type { Shape } from "../../tensor/inner.ts";
import type { Affine, GridChoice } from "../grids/range.ts";
import type { ValueStatistics } from "./statistics.ts";
import type { Ends } from "./useful-range.ts";

export interface Observer {
  /**
   * Takes one batch, of this shape if it is known. With `ends` it is a sample of numbers that reach exactly so far; only schemes that see
   * samples are given one. Throws `data/not-finite` for NaN and infinities.
   */
  see(values: Float32Array, shape?: Shape, ends?: Ends): void;
  /**
   * Scale and offset for a grid. Numbers outside `useful` need not be told apart from its ends; schemes that are exact by
   * definition (min-max, tf_enhanced) take no notice. Throws `quant/not-calibrated` before the first number was seen.
   */
  propose(choice: GridChoice, useful?: Ends): Affine;
  /** What was seen so far. */
  statistics(): Seen;
}

/** The numbers of a scheme that needs no histogram. */
export type Seen = Omit<ValueStatistics, "value">;

/** Calibration schemes by name; "percentile:99.9" keeps that share of the numbers (default 99.99). */
export type Scheme = "minmax" | "percentile" | `percentile:${number}` | "tf_enhanced" | "sqnr" | "mse" | "entropy";

/** Whether AIMET has the scheme too, so that the same data returns the same scales there. */
export function isAimets(scheme: Scheme): boolean {
  return scheme === "minmax" || scheme === "tf_enhanced" || scheme.startsWith("percentile");
}

/**
 * Whether a sample of the numbers of a large value will do. Where slopes of the outputs weigh errors, they rest on a sample too; schemes
 * that are about the value itself, or that other tools have as well, see every number.
 */
export function seesSamples(scheme: Scheme): boolean {
  return scheme === "sqnr";
}

/** The error of an observer that got NaN or an infinity. */
export function notFinite(): AvocetError {
  return new AvocetError("data/not-finite", "expected finite numbers, got NaN or an infinity", {
    hint: "keep this value in float, or look at the input data and at overflow before it",
  });
}

/** The error of an observer that saw nothing. */
export function nothingSeen(): AvocetError {
  return new AvocetError("quant/not-calibrated", "expected at least one number, got none", {
    hint: "calibrate with data that reaches this value",
  });
}
