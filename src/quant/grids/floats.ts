/** Grids of floats without a scale: a Cast there and back. */
import { invariant } from "../../base/inner.ts";
import { dtypes } from "../../tensor/inner.ts";
import type { Codec, Refusal } from "./codec.ts";
import type { FloatGridName } from "./names.ts";

/** The codec of an element type of floats. `toBits` is the code of the nearest number; null: nothing is ever stored in it. */
export function casts(dtype: FloatGridName, toBits: ((x: number) => number) | null, refused?: Refusal): Codec {
  return {
    name: dtype,
    grid: { kind: "float", dtype },
    bits: dtypes[dtype].bits,
    kernel: "cast",
    stored: dtype,
    quantizer: dtype,
    opset: () => 13,
    refusal: () => refused,
    encode: (numbers, codes, at) => {
      invariant(toBits, `nothing is stored in ${dtype}`);
      for (let i = 0; i < numbers.length; i++) (codes as Uint16Array)[at + i] = toBits(numbers[i]!);
    },
  };
}
