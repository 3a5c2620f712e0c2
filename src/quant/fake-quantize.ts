/**
 * Quantize and dequantize on the host: the reference that graphs and kernels are tested against, and what weights go
 * through. Every operation is rounded to float32, as AIMET's C++ and ONNX Runtime do; only the rounding of ties differs.
 */
import { roundHalfAway, roundHalfEven } from "../base/index.ts";
import { Tensor } from "../tensor/index.ts";
import { type Encoding, endsOf } from "./encoding.ts";
import { forEachRun } from "./slices.ts";

/** How ties are rounded: "half-even" as ONNX's QuantizeLinear (x/scale), "half-away" as AIMET (x/scale − offset). */
export type TieRounding = "half-even" | "half-away";

/** The integer 0 … top of one number; float32 arithmetic throughout. */
export function quantizeNumber(x: number, scale: number, offset: number, top: number, ties: TieRounding): number {
  const f = Math.fround;
  const s = f(scale);
  if (ties === "half-even") {
    // QuantizeLinear saturates after adding the zero point.
    return Math.min(Math.max(roundHalfEven(f(f(x) / s)) - offset, 0), top);
  }
  const low = f(s * f(offset));
  const high = f(s * f(offset + top));
  const inside = Math.min(Math.max(f(x), low), high);
  return Math.min(Math.max(roundHalfAway(f(f(inside / s) - f(offset))), 0), top);
}

/** The integers of a tensor, counted from the lowest of their slice (0 … 2^bits − 1). Shape as the tensor's. */
export function quantize(tensor: Tensor, encoding: Encoding, ties: TieRounding = "half-even"): Float64Array {
  const x = tensor.floats();
  const out = new Float64Array(x.length);
  forEachRun(tensor.shape, encoding.granularity, (slice, start, end) => {
    const scale = encoding.scale[slice]!;
    const { low, high } = endsOf(encoding, slice);
    for (let i = start; i < end; i++) out[i] = quantizeNumber(x[i]!, scale, low, high - low, ties);
  });
  return out;
}

/** The numbers that integers 0 … 2^bits − 1 stand for, in float32. */
export function dequantize(integers: ArrayLike<number>, shape: readonly number[], encoding: Encoding): Tensor {
  const out = new Float32Array(integers.length);
  forEachRun(shape, encoding.granularity, (slice, start, end) => {
    const scale = Math.fround(encoding.scale[slice]!);
    const offset = encoding.offset[slice]!;
    for (let i = start; i < end; i++) out[i] = scale * Math.fround(integers[i]! + offset);
  });
  return Tensor.float32(shape, out);
}

/** The tensor as the grid can represent it: `dequantize(quantize(x))`, float32. */
export function quantizeDequantize(tensor: Tensor, encoding: Encoding, ties: TieRounding = "half-even"): Tensor {
  return dequantize(quantize(tensor, encoding, ties), tensor.shape, encoding);
}
