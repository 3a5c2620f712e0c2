/** Floats of 4 and 8 bits: their values, and the nearest one to a number, as ONNX defines them (docs/technical/float8). */
import type { DType } from "./dtype.ts";

export type ShortFloat = Extract<DType, `float8${string}` | "float4e2m1">;

interface Format {
  /** Bits of mantissa and exponent, and the exponent that stands for 2⁰. */
  readonly mantissa: number;
  readonly exponent: number;
  readonly bias: number;
  /** The highest finite code without sign. */
  readonly highest: number;
  /** The code of NaN that conversion makes; null where there is none. */
  readonly nan: number | null;
  /** Without negative zero: its code is NaN ("uz"). */
  readonly oneZero?: true;
}

const formats: { readonly [T in Exclude<ShortFloat, "float8e8m0">]: Format } = {
  float8e4m3fn: { mantissa: 3, exponent: 4, bias: 7, highest: 0x7e, nan: 0x7f },
  float8e4m3fnuz: { mantissa: 3, exponent: 4, bias: 8, highest: 0x7f, nan: 0x80, oneZero: true },
  float8e5m2: { mantissa: 2, exponent: 5, bias: 15, highest: 0x7b, nan: 0x7f },
  float8e5m2fnuz: { mantissa: 2, exponent: 5, bias: 16, highest: 0x7f, nan: 0x80, oneZero: true },
  float4e2m1: { mantissa: 1, exponent: 2, bias: 1, highest: 7, nan: null },
};

/** Whether a type is a float of at most 8 bits. */
export function isShortFloat(dtype: DType): dtype is ShortFloat {
  return dtype.startsWith("float8") || dtype === "float4e2m1";
}

/** The value of a code. */
export function fromFloat8Bits(dtype: ShortFloat, bits: number): number {
  if (dtype === "float8e8m0") return bits === 0xff ? Number.NaN : 2 ** (bits - 127);
  const format = formats[dtype];
  const signBit = 1 << (format.mantissa + format.exponent);
  const code = bits & (signBit - 1);
  const negative = (bits & signBit) !== 0;
  if (format.oneZero && negative && code === 0) return Number.NaN;
  const value = code > format.highest ? beyond(dtype, code) : magnitude(format, code);
  return negative ? -value : value;
}

/**
 * The code of the nearest value, ties to the even code. What is too large, infinity included, becomes the largest
 * finite value (ONNX's Cast with saturate = 1, as QuantizeLinear does). float8e8m0 has powers of two only: the next
 * one up (Cast's round_mode "up"), so that a block scaled by it fits.
 */
export function toFloat8Bits(dtype: ShortFloat, x: number): number {
  if (dtype === "float8e8m0") return Number.isNaN(x) ? 0xff : powerCode(x);
  const format = formats[dtype];
  const sign = x < 0 || Object.is(x, -0) ? 1 << (format.mantissa + format.exponent) : 0;
  // Without NaN (float4e2m1) the largest value stands for it.
  if (Number.isNaN(x)) return format.nan ?? format.highest;
  const code = nearestCode(format, Math.abs(x));
  return code === 0 && format.oneZero ? 0 : sign | code;
}

function magnitude({ mantissa, bias }: Format, code: number): number {
  const exponent = code >> mantissa;
  const fraction = (code & ((1 << mantissa) - 1)) / (1 << mantissa);
  return exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias);
}

/** Infinity and NaN: only float8e5m2 has an infinity. */
function beyond(dtype: ShortFloat, code: number): number {
  return dtype === "float8e5m2" && code === 0x7c ? Number.POSITIVE_INFINITY : Number.NaN;
}

/** Codes grow with the values they stand for: search the two around x. */
function nearestCode(format: Format, x: number): number {
  let low = 0;
  let high = format.highest;
  if (x >= magnitude(format, high)) return high;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (magnitude(format, middle) <= x) low = middle;
    else high = middle;
  }
  const below = x - magnitude(format, low);
  const above = magnitude(format, high) - x;
  return below < above || (below === above && low % 2 === 0) ? low : high;
}

/** The exponent of the least power of two that is not below x, within what the type holds. */
function powerCode(x: number): number {
  let code = 0;
  while (code < 0xfe && 2 ** (code - 127) < x) code++;
  return code;
}
