/** How encodings and quantized constants are stored in an ONNX file: scale, zero point and integers as tensors. */
import { roundHalfEven } from "../../base/inner.ts";
import type { Node } from "../../ir/inner.ts";
import {
  arrayKind,
  type DType,
  dtypes,
  packBits,
  type Shape,
  sizeOf,
  Tensor,
  type TensorData,
} from "../../tensor/inner.ts";
import type { Codec, Ends } from "../grids/codec.ts";
import { type Encoding, endsOf, zeroPoint } from "../grids/encoding.ts";
import { nearestPieces } from "../grids/fake-quantize.ts";
import { scaledCodecOf } from "../grids/grid.ts";

/** The shape of an encoding's scale: a scalar, a vector, or the blocks of a tensor of this shape. */
export function scaleShape(encoding: Encoding, shape: readonly number[]): readonly number[] {
  const { granularity } = encoding;
  if (granularity.kind === "tensor") return [];
  if (granularity.kind === "channel") return [encoding.scale.length];
  return shape.map((length, axis) => (axis === granularity.axis ? length / granularity.size : length));
}

export function scaleTensor(encoding: Encoding, shape: readonly number[]): Tensor {
  const { unit = 1 } = scaledCodecOf(encoding.grid);
  return Tensor.float32(
    scaleShape(encoding, shape),
    encoding.scale.map((scale) => scale * unit),
  );
}

/** The zero points as integers of `dtype`, the type that the constant or the activation has in front of DequantizeLinear. */
export function zeroPointTensor(encoding: Encoding, shape: readonly number[], dtype: DType): Tensor {
  const points = encoding.scale.map((_, i) => storedZeroPoint(encoding, i));
  return integerTensor(dtype, scaleShape(encoding, shape), points);
}

/**
 * A strict symmetric grid (−127 … 127) in signed storage has its zero at 0, like one that is not strict (−128 … 127): kernels
 * that want a zero point of 0 get it.
 */
export function storedZeroPoint(encoding: Encoding, i = 0): number {
  const { low, high } = endsOf(encoding, i);
  return scaledCodecOf(encoding.grid).shift > 0 && low === -high ? 0 : zeroPoint(encoding, i);
}

/** The lowest and highest integer of slice i as the file stores them. */
export function storedEnds(encoding: Encoding, i = 0): Ends {
  const { low, high } = endsOf(encoding, i);
  const zero = storedZeroPoint(encoding, i);
  return { low: low + zero, high: high + zero };
}

/**
 * The ends of a grid per tensor as the bounds of a Clip, where the integers of its quantizer reach beyond them; else nothing. Of 8
 * bits they are integers, above that floats, as ONNX Runtime has kernels.
 */
export function clipEnds(encoding: Encoding): readonly Tensor[] {
  const { quantizer, typeEnds } = scaledCodecOf(encoding.grid);
  const { low, high } = storedEnds(encoding);
  if (low <= typeEnds.low && high >= typeEnds.high) return [];
  if (dtypes[quantizer].bits <= 8) return [low, high].map((end) => integerTensor(quantizer, [], [end]));
  const ends = endsOf(encoding);
  return [ends.low, ends.high].map((end) => Tensor.scalar(Math.fround(encoding.scale[0]!) * end));
}

/** What the bounds of such a Clip are called, behind the name of the value. */
export const endNames = ["lowest", "highest"] as const;

/** Whether a Clip is one of lowering's, and not the model's own. */
export function clipsToGrid(node: Node): boolean {
  return node.op === "Clip" && node.input(1)?.name.endsWith(`_${endNames[0]}`) === true;
}

/** The numbers of a constant as the file stores them. Ties are rounded to even, as QuantizeLinear does. */
export function quantizedTensor(tensor: Tensor, encoding: Encoding): Tensor {
  const codec = scaledCodecOf(encoding.grid);
  const zeros = Float64Array.from(encoding.scale, (_, slice) => storedZeroPoint(encoding, slice));
  return codedTensor(codec, tensor.shape, (codes) =>
    nearestPieces(tensor, encoding, "half-even", (piece, start, slice, step) => {
      for (let k = 0, of = slice; k < piece.length; k++, of += step) piece[k]! += zeros[of]!;
      codec.encode(piece, codes, start);
    }),
  );
}

/** A tensor of the type that stores a grid, whose codes `fill` writes; types under 8 bits are packed. */
export function codedTensor({ stored }: Codec, shape: Shape, fill: (codes: TensorData) => void): Tensor {
  const codes = new (arrayKind(stored))(sizeOf(shape));
  fill(codes);
  const { bits } = dtypes[stored];
  return Tensor.of(stored, shape, bits < 8 ? packBits(codes as Int8Array, bits as 2 | 4) : codes);
}

/** A bias on the grid whose step is `scale[c]` (one number or one a channel), as int32. */
export function biasTensor(bias: Tensor, scale: Float32Array): Tensor {
  const limit = 2 ** 31 - 1;
  const data = Int32Array.from(bias.floats(), (x, i) => {
    const q = roundHalfEven(x / scale[scale.length === 1 ? 0 : i]!);
    return Math.max(-limit, Math.min(limit, q));
  });
  return Tensor.of("int32", bias.shape, data);
}

/** Integers as a tensor of this type; types under 8 bits are packed. */
export function integerTensor(dtype: DType, shape: readonly number[], values: ArrayLike<number>): Tensor {
  const { bits } = dtypes[dtype];
  const data = bits < 8 ? packBits(values, bits as 2 | 4) : packed(dtype, values);
  return Tensor.of(dtype, shape, data);
}

function packed(dtype: DType, values: ArrayLike<number>): TensorData {
  const data = new (arrayKind(dtype))(values.length);
  for (let i = 0; i < values.length; i++) data[i] = values[i]!;
  return data;
}
