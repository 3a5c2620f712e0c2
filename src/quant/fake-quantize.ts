/**
 * Quantize and dequantize on the host: the reference that graphs and kernels are tested against, and what weights go
 * through. Every operation is rounded to float32, as AIMET's C++ and ONNX Runtime do; only the rounding of ties differs.
 */
import { roundHalfAway, roundHalfEven } from "../base/index.ts";
import { Tensor } from "../tensor/index.ts";
import { type Encoding, endsOf } from "./encoding.ts";
import { forEachStretch } from "./slices.ts";

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

/** Elements that are rounded before something is made of them: they stay in the processor's cache. */
const pieceLength = 4096;

/**
 * The integers of a tensor, counted from the lowest of their slice (0 … 2^bits − 1), in pieces: `take` gets each of them with the place of
 * its first element, and element k belongs to slice `slice + step · k`. The piece is used again. Large weights are rounded so
 * without a copy in double precision.
 */
export function quantizePieces(
  tensor: Tensor,
  encoding: Encoding,
  ties: TieRounding,
  take: (piece: Float64Array, start: number, slice: number, step: 0 | 1) => void,
): void {
  const x = tensor.floats();
  const scales = encoding.scale;
  const lows = new Float64Array(scales.length);
  const tops = new Float64Array(scales.length);
  for (let slice = 0; slice < scales.length; slice++) {
    const { low, high } = endsOf(encoding, slice);
    lows[slice] = low;
    tops[slice] = high - low;
  }
  const piece = new Float64Array(Math.min(pieceLength, x.length));
  forEachStretch(tensor.shape, encoding.granularity, (first, step, from, to) => {
    for (let start = from; start < to; start += pieceLength) {
      const length = Math.min(pieceLength, to - start);
      const slice = first + step * (start - from);
      for (let k = 0, of = slice; k < length; k++, of += step) {
        piece[k] = quantizeNumber(x[start + k]!, scales[of]!, lows[of]!, tops[of]!, ties);
      }
      take(length === piece.length ? piece : piece.subarray(0, length), start, slice, step);
    }
  });
}

/** The integers of a tensor, counted from the lowest of their slice (0 … 2^bits − 1). Shape as the tensor's. */
export function quantize(tensor: Tensor, encoding: Encoding, ties: TieRounding = "half-even"): Float64Array {
  const out = new Float64Array(tensor.size);
  quantizePieces(tensor, encoding, ties, (piece, start) => out.set(piece, start));
  return out;
}

/** The numbers that integers 0 … 2^bits − 1 stand for, in float32. */
export function dequantize(integers: ArrayLike<number>, shape: readonly number[], encoding: Encoding): Tensor {
  const out = new Float32Array(integers.length);
  forEachStretch(shape, encoding.granularity, (slice, step, start, end) => {
    dequantizeInto(out, start, integers, start, end - start, encoding, slice, step);
  });
  return Tensor.float32(shape, out);
}

/** The tensor as the grid can represent it: `dequantize(quantize(x))`, float32. */
export function quantizeDequantize(tensor: Tensor, encoding: Encoding, ties: TieRounding = "half-even"): Tensor {
  const out = new Float32Array(tensor.size);
  quantizePieces(tensor, encoding, ties, (piece, start, slice, step) => {
    dequantizeInto(out, start, piece, 0, piece.length, encoding, slice, step);
  });
  return Tensor.float32(tensor.shape, out);
}

function dequantizeInto(
  out: Float32Array,
  at: number,
  integers: ArrayLike<number>,
  from: number,
  length: number,
  { scale, offset }: Encoding,
  slice: number,
  step: 0 | 1,
): void {
  for (let k = 0, of = slice; k < length; k++, of += step) {
    out[at + k] = Math.fround(scale[of]!) * Math.fround(integers[from + k]! + offset[of]!);
  }
}
