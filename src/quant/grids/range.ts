/**
 * From a range of numbers to scale and offset, as AIMET's C++ does (2.42): zero is always on the grid, the scale has a
 * floor, symmetric grids cover both sides, the offset is rounded half away from zero.
 */
import { AvocetError, roundHalfAway } from "../../base/inner.ts";
import { coarseScale, shortScale } from "./short-scale.ts";

/** What of a grid decides scale and offset; storage does not. */
export interface GridChoice {
  /** 2 … 32. */
  readonly bits: number;
  readonly symmetric: boolean;
  /** As many steps down as up (−127 … 127). */
  readonly narrowRange?: boolean | undefined;
  /** A symmetric value without negatives uses 0 … 2^bits − 1. */
  readonly unsignedSymmetric?: boolean | undefined;
  /** Whether the scale grows to one of few significant bits, or ("coarse") to 2^k or 3 · 2^k (short-scale.ts). Default false. */
  readonly shortScale?: boolean | "coarse" | undefined;
}

/** Scale and offset of one slice: x̂ = scale · (q + offset), offset ≤ 0. */
export interface Affine {
  readonly scale: number;
  readonly offset: number;
}

/** The smallest scale AIMET returns: float32's epsilon; for 32 bits 2.33e-12. */
export function minimumScale(bits: number): number {
  return bits > 16 ? 2.33e-12 : 1.1920929e-7;
}

const largest = 3.4028234663852886e38;

/** Steps between the lowest and the highest number of the grid; narrow symmetric grids have one fewer. */
export function stepsOf(choice: GridChoice): number {
  return powers[choice.bits]! - (choice.symmetric && choice.narrowRange ? 2 : 1);
}

/** Powers of two: searches ask for one a candidate, and raising takes longer than all else there. */
const powers = Array.from({ length: 33 }, (_, bits) => 2 ** bits);

/** Whether a symmetric choice becomes 0 … 2^bits − 1 because nothing below zero was seen. */
export function isOneSided(choice: GridChoice, min: number): boolean {
  return choice.symmetric && choice.unsignedSymmetric === true && min >= 0;
}

/**
 * Scale and offset that cover [min, max] and zero. Infinite bounds count as the largest float32. Throws
 * `data/not-finite` for NaN.
 */
export function affineOfRange(min: number, max: number, choice: GridChoice): Affine {
  if (Number.isNaN(min) || Number.isNaN(max)) {
    throw new AvocetError("data/not-finite", `expected a range of numbers, got ${min} … ${max}`);
  }
  const low = Math.max(Math.min(min, 0), -0.99 * largest);
  const high = Math.min(Math.max(max, 0), 0.99 * largest);
  const steps = stepsOf(choice);
  const floor = minimumScale(choice.bits);
  if (choice.symmetric && !isOneSided(choice, low)) {
    const up = Math.floor(steps / 2);
    const down = steps - up;
    // Two bits have one step up only; AIMET divides by two there, so that −2 … 1 does not double every scale.
    const scale = Math.max(high / (up + (steps === 3 ? 1 : 0)), -low / down, floor);
    return { scale: shortened(scale, choice), offset: -down };
  }
  const least = Math.max((high - low) / steps, floor);
  const scale = shortened(least, choice);
  // The clamp also turns −0 into 0: −0 would be printed and compared as another number.
  const offset = Math.min(Math.max(roundHalfAway(low / scale), -steps), 0) + 0;
  return { scale, offset };
}

function shortened(scale: number, choice: GridChoice): number {
  if (!choice.shortScale) return scale;
  return choice.shortScale === "coarse" ? coarseScale(scale) : shortScale(scale);
}

/** The numbers at both ends of what scale and offset can represent. */
export function rangeOfAffine({ scale, offset }: Affine, choice: GridChoice): readonly [min: number, max: number] {
  return [scale * offset, scale * (offset + stepsOf(choice))];
}
