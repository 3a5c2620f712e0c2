/**
 * Quantize and dequantize on the host: the reference that graphs and kernels are tested against, and what weights go
 * through. Every operation is rounded to float32, as AIMET's C++ and ONNX Runtime do; only the rounding of ties differs.
 */
import { Tensor } from "../../tensor/inner.ts";
import type { TieRounding } from "./codec.ts";
import { type Encoding, endsOf } from "./encoding.ts";
import { scaledCodecOf } from "./grid.ts";
import { forEachStretch } from "./slices.ts";

/** Elements that are rounded before something is made of them: they stay in the processor's cache. */
const pieceLength = 4096;

/**
 * The nearest numbers on the grid, in steps of the scale of their slice, in pieces: `take` gets each of them with the place of its first
 * element, and element k belongs to slice `slice + step · k`. The piece is used again. Large weights are rounded so without a copy
 * in double precision.
 */
export function nearestPieces(
  tensor: Tensor,
  encoding: Encoding,
  ties: TieRounding,
  take: (piece: Float64Array, start: number, slice: number, step: 0 | 1) => void,
): void {
  const x = tensor.floats();
  const { nearest } = scaledCodecOf(encoding.grid);
  const slices = { scales: Float64Array.from(encoding.scale), ...allEnds(encoding) };
  const piece = new Float64Array(Math.min(pieceLength, x.length));
  forEachStretch(tensor.shape, encoding.granularity, (first, step, from, to) => {
    for (let start = from; start < to; start += pieceLength) {
      const length = Math.min(pieceLength, to - start);
      const slice = first + step * (start - from);
      const out = length === piece.length ? piece : piece.subarray(0, length);
      nearest(x, start, out, slices, slice, step, ties);
      take(out, start, slice, step);
    }
  });
}

/** The ends of every slice. */
function allEnds(encoding: Encoding): { readonly lows: Float64Array; readonly highs: Float64Array } {
  const count = encoding.scale.length;
  const [lows, highs] = [new Float64Array(count), new Float64Array(count)];
  for (let slice = 0; slice < count; slice++) {
    const { low, high } = endsOf(encoding, slice);
    lows[slice] = low;
    highs[slice] = high;
  }
  return { lows, highs };
}

/** The integers of a tensor, counted from the lowest of their slice (0 … 2^bits − 1). Shape as the tensor's. */
export function quantize(tensor: Tensor, encoding: Encoding, ties: TieRounding = "half-even"): Float64Array {
  const out = new Float64Array(tensor.size);
  const { lows } = allEnds(encoding);
  nearestPieces(tensor, encoding, ties, (piece, start, slice, step) => {
    for (let k = 0, of = slice; k < piece.length; k++, of += step) out[start + k] = piece[k]! - lows[of]!;
  });
  return out;
}

/** The numbers that integers 0 … 2^bits − 1 stand for, in float32. */
export function dequantize(integers: ArrayLike<number>, shape: readonly number[], encoding: Encoding): Tensor {
  const out = new Float32Array(integers.length);
  const { scale, offset } = encoding;
  forEachStretch(shape, encoding.granularity, (slice, step, start, end) => {
    for (let i = start, of = slice; i < end; i++, of += step)
      out[i] = Math.fround(scale[of]!) * Math.fround(integers[i]! + offset[of]!);
  });
  return Tensor.float32(shape, out);
}

/** The tensor as the grid can represent it, float32. */
export function quantizeDequantize(tensor: Tensor, encoding: Encoding, ties: TieRounding = "half-even"): Tensor {
  const out = new Float32Array(tensor.size);
  const { scale } = encoding;
  nearestPieces(tensor, encoding, ties, (piece, start, slice, step) => {
    for (let k = 0, of = slice; k < piece.length; k++, of += step)
      out[start + k] = Math.fround(scale[of]!) * Math.fround(piece[k]!);
  });
  return Tensor.float32(tensor.shape, out);
}
