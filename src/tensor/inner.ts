/** @module Tensors on the host: element types, packing of low-bit values, half floats. */
export {
  arrayKind,
  byteLength,
  type DType,
  type DTypeFacts,
  dtypeOfOnnx,
  dtypes,
  isFloat,
  type NumericArray,
  type TensorData,
} from "./dtype.ts";
export type { Feeds } from "./feeds.ts";
export { fromFloat8Bits, isShortFloat, type ShortFloat, toFloat8Bits } from "./float8.ts";
export { fromBfloat16Bits, fromFloat16Bits, toBfloat16Bits, toFloat16Bits } from "./float16.ts";
export { elementsOf, floatTensor } from "./floats.ts";
export { packBits, unpackBits } from "./packing.ts";
export { type Shape, sizeOf, Tensor } from "./tensor.ts";
