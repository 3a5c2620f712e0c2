/** Constants in half precision: whether their numbers fit, and what they become. */
import { fromFloat16Bits, type Tensor, toFloat16Bits } from "../../tensor/inner.ts";

/** The largest number of float16. */
export const largestHalf = 65504;

/** Half precision holds 11 bits down to 6e-5, and fewer below: the largest number of a constant may lose a hundredth. */
const mostLost = 0.01;

export interface HalfConstant {
  /** Why it does not fit. */
  readonly refused?: string;
  /** It has finite numbers beyond the ends, and would end there. */
  readonly clamped?: true;
  /** The bit patterns, made when they are asked for. */
  readonly load: () => Uint16Array;
}

export function halfConstant(name: string, tensor: Tensor): HalfConstant {
  let most = 0;
  for (const x of tensor.floats()) if (Number.isFinite(x)) most = Math.max(most, Math.abs(x));
  const load = () => Uint16Array.from(tensor.floats(), halfBits);
  if (most > largestHalf)
    return {
      refused: `${name} holds ${most.toPrecision(3)}: half precision ends at ${largestHalf}`,
      clamped: true,
      load,
    };
  return isTooSmall(most)
    ? { refused: `${name} holds nothing above ${most.toPrecision(3)}, where half precision has few digits`, load }
    : { load };
}

/** Whether numbers of this magnitude lose more than a hundredth. */
export function isTooSmall(magnitude: number): boolean {
  return Math.abs(fromFloat16Bits(toFloat16Bits(magnitude)) - magnitude) > mostLost * magnitude;
}

/** The nearest number of float16; what lies beyond an end becomes the end, so that no infinity is made. */
function halfBits(x: number): number {
  return toFloat16Bits(Number.isFinite(x) ? Math.min(Math.max(x, -largestHalf), largestHalf) : x);
}

/** A sample shows not all numbers that will come: half of the range is left to the others. */
const headroom = 2;

/** Why a value whose largest observed magnitude this is cannot be half; undefined: it can. */
export function halfRefusal(largest: number): string | undefined {
  if (Number.isNaN(largest)) return "holds what is no number";
  if (largest * headroom > largestHalf)
    return `reaches ${largest.toPrecision(3)}, and half precision ends at ${largestHalf}`;
  return isTooSmall(largest) ? `stays below ${largest.toPrecision(3)}, where half precision has few digits` : undefined;
}
