/** Tensors of any float type: read without a copy where the type allows it, computed in float64 and rounded once. */
import type { DType } from "./dtype.ts";
import { toBfloat16Bits, toFloat16Bits } from "./float16.ts";
import { type Shape, Tensor } from "./tensor.ts";

/** The elements without a copy where the type allows it; never write to them. */
export function elementsOf(tensor: Tensor): ArrayLike<number> {
  if (tensor.dtype === "float32") return tensor.floats();
  return tensor.dtype === "float64" ? (tensor.data as Float64Array) : tensor.numbers();
}

/** A float tensor of this type whose i-th element is `element(i)`, rounded once. */
export function floatTensor(dtype: DType, shape: Shape, element: (index: number) => number): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  if (dtype === "float32" || dtype === "float64") {
    const data = dtype === "float32" ? new Float32Array(size) : new Float64Array(size);
    for (let i = 0; i < size; i++) data[i] = element(i);
    return Tensor.of(dtype, shape, data);
  }
  const toBits = dtype === "float16" ? toFloat16Bits : toBfloat16Bits;
  const data = new Uint16Array(size);
  for (let i = 0; i < size; i++) data[i] = toBits(element(i));
  return Tensor.of(dtype, shape, data);
}
