/** Parts of constants, cut on the host when they are first looked at. */
import { byteLength, type DType, sizeOf, Tensor, type TensorData } from "../../tensor/inner.ts";

/** The elements of these indices along one axis, in their order. Types of less than a byte stay whole. */
export function pickedConstant(tensor: Tensor, axis: number, indices: readonly number[]): Tensor | undefined {
  if (!isAddressable(tensor.dtype)) return undefined;
  const shape = tensor.shape.map((length, at) => (at === axis ? indices.length : length));
  const inner = sizeOf(tensor.shape.slice(axis + 1));
  const outer = sizeOf(tensor.shape.slice(0, axis));
  const length = tensor.shape[axis]!;
  return Tensor.lazy(tensor.dtype, shape, (): TensorData => {
    const data = tensor.data as Float32Array;
    const made = data.slice(0, 0).constructor as new (length: number) => Float32Array;
    const picked = new made(outer * indices.length * inner);
    for (let o = 0, to = 0; o < outer; o++) {
      for (const index of indices) {
        const from = (o * length + index) * inner;
        picked.set(data.subarray(from, from + inner), to);
        to += inner;
      }
    }
    return picked;
  });
}

const isAddressable = (dtype: DType): boolean =>
  dtype !== "string" && dtype !== "complex64" && dtype !== "complex128" && byteLength(dtype, 2) % 2 === 0;
