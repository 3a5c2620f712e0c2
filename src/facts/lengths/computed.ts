/** Small integer tensors that are computed from shapes and constants: the operands of Reshape, Slice, Pad and Expand. */

import type { Tensor } from "../../tensor/inner.ts";
import type { Computed } from "./length.ts";

/** Larger tensors are data and no shapes. */
export const mostElements = 1024;

export function computedOfConstant(tensor: Tensor): Computed | undefined {
  const { dtype, shape, size } = tensor;
  if ((dtype !== "int64" && dtype !== "int32") || size > mostElements) return undefined;
  return { dtype, shape, elements: tensor.numbers() };
}

/** The elements when all are numbers. */
export function numbersOf(computed: Computed | undefined): number[] | undefined {
  return computed?.elements.every((e) => typeof e === "number") ? (computed.elements as number[]) : undefined;
}

/** Where ONNX's Slice begins on an axis, and how many elements it takes. */
export function sliceRange(length: number, start: number, end: number, step: number): { first: number; count: number } {
  const clamp = (n: number, low: number, high: number) => Math.min(Math.max(n < 0 ? n + length : n, low), high);
  const [low, high] = step > 0 ? [0, length] : [-1, length - 1];
  const first = clamp(start, 0, high);
  // Going down, an end of −length − 1 or less means "through the first element".
  const last = step < 0 && end < -length ? -1 : clamp(end, low, high);
  return { first, count: Math.max(0, Math.ceil((last - first) / step)) };
}
