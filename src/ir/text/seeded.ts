/** Data for constants that a text declares without any: tests write shapes, a seed returns the numbers. */
import { Random } from "../../base/inner.ts";
import {
  arrayKind,
  type DType,
  dtypes,
  packBits,
  type Shape,
  sizeOf,
  Tensor,
  toBfloat16Bits,
  toFloat16Bits,
} from "../../tensor/inner.ts";

/** Longest tensor that is made up: a mistyped shape should not fill the memory. */
export const seededLimit = 1 << 24;

/** Why no data can be made up for such a constant, or undefined when it can. */
export function refuseSeeded(dtype: DType, shape: Shape): string | undefined {
  const { kind, bits } = dtypes[dtype];
  const usual = kind === "float" ? bits >= 16 : (kind === "int" || kind === "uint") && bits <= 16;
  if (!usual) return `only floats and integers of at most 16 bits get seeded data, not ${dtype}`;
  if (sizeOf(shape) > seededLimit) return `expected at most ${seededLimit} seeded elements, got ${sizeOf(shape)}`;
  return undefined;
}

/**
 * Floats are normally distributed, or uniform in [0.5, 1.5) when `positive` (variances, scales); integers are uniform
 * over their range. The numbers depend on the seed and the name alone.
 */
export function seededTensor(seed: number, name: string, dtype: DType, shape: Shape, positive: boolean): Tensor {
  const random = new Random(seed).fork(name);
  const size = sizeOf(shape);
  const { kind, bits } = dtypes[dtype];
  const values = new Float64Array(size);
  if (kind === "float") {
    for (let i = 0; i < size; i++) values[i] = positive ? random.uniform(0.5, 1.5) : random.normal();
    if (dtype === "float16") return Tensor.of(dtype, shape, Uint16Array.from(values, toFloat16Bits));
    if (dtype === "bfloat16") return Tensor.of(dtype, shape, Uint16Array.from(values, toBfloat16Bits));
    return Tensor.of(dtype, shape, dtype === "float32" ? Float32Array.from(values) : values);
  }
  const low = kind === "int" && !positive ? -(2 ** (bits - 1)) : positive ? 1 : 0;
  const high = kind === "int" ? 2 ** (bits - 1) : 2 ** bits;
  for (let i = 0; i < size; i++) values[i] = low + random.integer(high - low);
  if (bits === 2 || bits === 4) return Tensor.of(dtype, shape, packBits(values, bits));
  const data = new (arrayKind(dtype))(size);
  (data as Float64Array).set(values);
  return Tensor.of(dtype, shape, data);
}
