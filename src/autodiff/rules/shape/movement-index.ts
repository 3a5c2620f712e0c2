/**
 * The gradient of any operator that only moves elements: the same operator moves their numbers (0, 1, 2 …) instead, and
 * then every gradient is added at the number that arrived at its place.
 */
import type { Value } from "../../../ir/inner.ts";
import type { Shape } from "../../../tensor/inner.ts";
import { sizeOf } from "../../../tensor/inner.ts";
import type { Backward } from "../../rule.ts";

/** 0, 1, 2 … in this shape, int64. */
export function numbered(b: Backward, shape: Shape): Value {
  const int = (value: number) => b.int(value);
  return b.reshape(b.op("Range", [int(0), int(sizeOf(shape)), int(1)]), shape);
}

/** Adds `gradient` to zeros of `shape`, each element at its flat number; `numbers` and `gradient` have one shape. */
export function addAtNumbers(b: Backward, numbers: Value, gradient: Value, shape: Shape): Value {
  const zeros = b.filled([sizeOf(shape)], 0);
  const list = (value: Value) => b.reshape(value, [-1]);
  const sums = b.op("ScatterElements", [zeros, list(numbers), list(gradient)], { reduction: "add" });
  return b.reshape(sums, shape);
}

/** Adds the slices of `gradient` along an axis to zeros of `shape`, each at its index; `indices` holds `count` of int64 or int32. */
export function addAlongAxis(
  b: Backward,
  indices: Value,
  count: number,
  gradient: Value,
  shape: Shape,
  axis: number,
): Value {
  const along = shape.map((_, i) => (i === axis ? count : 1));
  const spread = b.expand(b.reshape(indices, along), shape.toSpliced(axis, 1, count));
  return b.op("ScatterElements", [b.filled(shape, 0), spread, gradient], { axis, reduction: "add" });
}

/** The gradient of the first input of a node whose first output holds elements of it and nothing else. */
export function movedBack(b: Backward): Value {
  const shape = b.shapeOf(0);
  const { node } = b;
  const attributes = Object.fromEntries(node.attributes);
  const moved = b.op(node.op, [numbered(b, shape), ...node.inputs.slice(1)], attributes, { domain: node.domain });
  return addAtNumbers(b, moved, b.dy, shape);
}
