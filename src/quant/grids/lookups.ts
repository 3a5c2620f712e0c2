/**
 * Grids whose numbers are a scale times one of a list: float8 and float4, which are dense around zero, and the four numbers around zero
 * that two bits have with half a step of shift (AIMET's `shift_zero_point`).
 */

import type { DType, ShortFloat } from "../../tensor/inner.ts";
import { fromFloat8Bits, toFloat8Bits } from "../../tensor/inner.ts";
import type { Grid, GridUse, Refusal, ScaledCodec } from "./codec.ts";
import type { LookupGridName } from "./names.ts";

/** Float32's smallest normal number: AIMET's least scale of float8. */
const leastScale = 2 ** -126;

interface Lookup {
  readonly name: LookupGridName;
  readonly grid: Grid;
  readonly bits: number;
  /** The largest number; the least is its negative. */
  readonly top: number;
  readonly stored: DType;
  readonly quantizer: DType;
  readonly opset: number;
  /** How many steps of the scale a stored number stands for. */
  readonly unit: number;
  readonly refusal?: Refusal;
  readonly instead?: string;
  /** The nearest number of the list to one within its ends. */
  readonly nearest: (x: number) => number;
  /** The code of a number of the list. */
  readonly code: (x: number) => number;
}

function lookup({
  name,
  grid,
  bits,
  top,
  stored,
  quantizer,
  opset,
  unit,
  refusal,
  instead,
  nearest,
  code,
}: Lookup): ScaledCodec {
  const f = Math.fround;
  const affine: ScaledCodec["affine"] = (min, max) => ({
    scale: Math.max(Math.max(-min, max, 0) / top, leastScale),
    offset: 0,
  });
  return {
    name,
    grid,
    bits,
    kernel: "lookup",
    stored,
    quantizer,
    unit,
    ...(instead === undefined ? {} : { instead }),
    lowestOffset: 0,
    shift: 0,
    typeEnds: { low: -top, high: top },
    opset: () => opset,
    refusal: (use: GridUse) => (use === "weight" ? undefined : refusal),
    encode: (numbers, codes, at) => {
      for (let i = 0; i < numbers.length; i++) (codes as Uint8Array)[at + i] = code(numbers[i]!);
    },
    ends: () => ({ low: -top, high: top }),
    affine,
    range: ({ scale }) => [-scale * top, scale * top],
    propose: (seen, choice) => {
      const { min, max } = seen.statistics();
      return affine(min, max, choice);
    },
    nearest: (x, start, out, { scales }, slice, step) => {
      for (let k = 0, of = slice; k < out.length; k++, of += step) {
        const steps = f(f(x[start + k]!) / f(scales[of]!));
        out[k] = nearest(Math.min(Math.max(steps, -top), top));
      }
    },
  };
}

/** float8, stored as it is: QuantizeLinear and DequantizeLinear take it from operator set 19 on. */
export function float8(dtype: "float8e4m3fn" | "float8e5m2"): ScaledCodec {
  const code = (x: number) => toFloat8Bits(dtype, x);
  return lookup({
    name: dtype,
    grid: { kind: "float", dtype },
    bits: 8,
    top: dtype === "float8e4m3fn" ? 448 : 57344,
    stored: dtype,
    quantizer: dtype,
    opset: 19,
    unit: 1,
    nearest: (x) => fromFloat8Bits(dtype, code(x)),
    code,
  });
}

const noQuantizer: Refusal = {
  expected: "a grid that a runtime quantizes to for activations",
  hint: "weights may be on it: --weights with another grid for --activations",
};

/**
 * float4 (1 sign, 2 exponent, 1 mantissa): no runtime loads it, so that twice its numbers, which are whole, are stored as int8 with half
 * the scale. What the file stands for is the same.
 */
export function float4(): ScaledCodec {
  const dtype: ShortFloat = "float4e2m1";
  return lookup({
    name: dtype,
    grid: { kind: "float", dtype },
    bits: 4,
    top: 6,
    stored: "int8",
    quantizer: "int8",
    opset: 13,
    unit: 0.5,
    refusal: noQuantizer,
    instead: "stored as int8 in half steps: float4e2m1 in a file needs operator set 23 and a runtime that loads it",
    nearest: (x) => fromFloat8Bits(dtype, toFloat8Bits(dtype, x)),
    code: (x) => 2 * x,
  });
}

/** −3, −1, 1, 3 halves of the scale, stored as int4 with half the scale. Ties go to the number farther from zero. */
export function halfShifted(): ScaledCodec {
  return lookup({
    name: "int2half",
    grid: { kind: "halves", bits: 2 },
    bits: 2,
    top: 1.5,
    stored: "int4",
    quantizer: "int8",
    opset: 21,
    unit: 0.5,
    refusal: noQuantizer,
    instead: "stored as int4 in half steps: ONNX has no int2 between two zeros",
    nearest: (x) => (x < 0 ? -1 : 1) * (Math.abs(x) < 1 ? 0.5 : 1.5),
    code: (x) => 2 * x,
  });
}
