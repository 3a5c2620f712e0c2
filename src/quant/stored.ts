/** How encodings and quantized constants are stored in an ONNX file: scale, zero point and integers as tensors. */
import { roundHalfEven } from "../base/index.ts";
import { packBits, sizeOf, Tensor, type TensorData } from "../tensor/index.ts";
import { type Encoding, zeroPoint } from "./encoding.ts";
import { quantize } from "./fake-quantize.ts";
import { type IntGrid, storageDType } from "./grid.ts";

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

export function zeroPointTensor(encoding: Encoding, shape: readonly number[]): Tensor {
  const points = encoding.scale.map((_, i) => storedZeroPoint(encoding, i));
  return integerTensor(encoding.grid, scaleShape(encoding, shape), points);
}

/**
 * A symmetric grid in signed storage has its zero at 0, the strict one (−127 … 127) too: the integers are shifted by one
 * against AIMET's counting, and kernels that want a zero point of 0 get it.
 */
export function storedZeroPoint(encoding: Encoding, i: number): number {
  return encoding.grid.signed && encoding.symmetric ? 0 : zeroPoint(encoding, i);
}

/** The integers of a constant as the file stores them. Ties are rounded to even, as QuantizeLinear does. */
export function quantizedTensor(tensor: Tensor, encoding: Encoding): Tensor {
  const { grid } = encoding;
  const low = grid.signed ? -(2 ** (grid.bits - 1)) : 0;
  const integers = quantize(tensor, encoding, "half-even");
  const shift = storedZeroPoint(encoding, 0) + encoding.offset[0]!;
  if (encoding.granularity.kind === "tensor" || (grid.signed && encoding.symmetric)) {
    const top = low + 2 ** grid.bits - 1;
    return integerTensor(
      grid,
      tensor.shape,
      integers.map((q) => Math.min(q + shift, top)),
    );
  }
  // Asymmetric slices have a zero point each, which QuantizeLinear adds as well: the integers differ by storage alone.
  return integerTensor(
    grid,
    tensor.shape,
    integers.map((q) => q + low),
  );
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

/** Integers as a tensor of the grid's storage type; types under 8 bits are packed. */
export function integerTensor(grid: IntGrid, shape: readonly number[], values: ArrayLike<number>): Tensor {
  return Tensor.of(storageDType(grid), shape, integerData(grid, values, sizeOf(shape)));
}

function integerData(grid: IntGrid, values: ArrayLike<number>, count: number): TensorData {
  const list = Array.from({ length: count }, (_, i) => values[i]!);
  switch (grid.bits) {
    case 2:
      return packBits(list, 2);
    case 3:
    case 4:
      return packBits(list, 4);
    case 8:
      return grid.signed ? Int8Array.from(list) : Uint8Array.from(list);
    case 16:
      return grid.signed ? Int16Array.from(list) : Uint16Array.from(list);
    case 32:
      return grid.signed ? Int32Array.from(list) : Uint32Array.from(list);
    default:
      return grid.bits satisfies never;
  }
}
