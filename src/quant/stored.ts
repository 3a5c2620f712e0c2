/** How encodings and quantized constants are stored in an ONNX file: scale, zero point and integers as tensors. */
import { roundHalfEven } from "../base/index.ts";
import type { Node } from "../ir/index.ts";
import { arrayKind, type DType, dtypes, packBits, Tensor, type TensorData } from "../tensor/index.ts";
import { type Encoding, type Ends, endsOf, zeroPoint } from "./encoding.ts";
import { quantizePieces } from "./fake-quantize.ts";
import { quantizerDType, storageDType } from "./grid.ts";

/** The shape of an encoding's scale: a scalar, a vector, or the blocks of a tensor of this shape. */
export function scaleShape(encoding: Encoding, shape: readonly number[]): readonly number[] {
  const { granularity } = encoding;
  if (granularity.kind === "tensor") return [];
  if (granularity.kind === "channel") return [encoding.scale.length];
  return shape.map((length, axis) => (axis === granularity.axis ? length / granularity.size : length));
}

export function scaleTensor(encoding: Encoding, shape: readonly number[]): Tensor {
  return Tensor.float32(scaleShape(encoding, shape), encoding.scale);
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
  return encoding.grid.signed && low === -high ? 0 : zeroPoint(encoding, i);
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
  const dtype = quantizerDType(encoding.grid);
  const { bits, kind } = dtypes[dtype];
  const lowest = kind === "int" ? -(2 ** (bits - 1)) : 0;
  const { low, high } = storedEnds(encoding);
  if (low <= lowest && high >= lowest + 2 ** bits - 1) return [];
  if (bits <= 8) return [low, high].map((end) => integerTensor(dtype, [], [end]));
  const ends = endsOf(encoding);
  return [ends.low, ends.high].map((end) => Tensor.scalar(Math.fround(encoding.scale[0]!) * end));
}

/** What the bounds of such a Clip are called, behind the name of the value. */
export const endNames = ["lowest", "highest"] as const;

/** Whether a Clip is one of lowering's, and not the model's own. */
export function clipsToGrid(node: Node): boolean {
  return node.op === "Clip" && node.input(1)?.name.endsWith(`_${endNames[0]}`) === true;
}

/** The integers of a constant as the file stores them. Ties are rounded to even, as QuantizeLinear does. */
export function quantizedTensor(tensor: Tensor, encoding: Encoding): Tensor {
  const dtype = storageDType(encoding.grid);
  const lows = Float64Array.from(encoding.scale, (_, slice) => storedEnds(encoding, slice).low);
  // Those that are packed are the lowest bits of a byte, whatever its sign.
  const integers = new (arrayKind(dtype) as Int8ArrayConstructor)(tensor.size);
  quantizePieces(tensor, encoding, "half-even", (piece, start, slice, step) => {
    for (let k = 0, of = slice; k < piece.length; k++, of += step) piece[k]! += lows[of]!;
    integers.set(piece, start);
  });
  const { bits } = dtypes[dtype];
  return Tensor.of(dtype, tensor.shape, bits < 8 ? packBits(integers, bits as 2 | 4) : integers);
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
