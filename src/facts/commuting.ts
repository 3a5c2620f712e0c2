/**
 * Operators over places that let a factor and a shift per channel pass: op(s·x + t) = s·op(x) + t. Means whose weights
 * sum to one do, maxima for positive s, and what adds zeros where t is zero.
 */

import type { Node } from "../ir/inner.ts";
import { constantInts, constantOf } from "./constants.ts";
import { isOp } from "./walk.ts";

/** "always", "positive" (only for s > 0), "unshifted" (only for t = 0), or undefined where it does not commute. */
export function commutesWithAffine(node: Node): "always" | "positive" | "unshifted" | undefined {
  if (isOp(node, "GlobalAveragePool")) return "always";
  if (isOp(node, "GlobalMaxPool")) return "positive";
  if (isOp(node, "MaxPool")) return node.outputs.slice(1).every((o) => o.useCount === 0) ? "positive" : undefined;
  if (isOp(node, "AveragePool")) return averages(node) ? "always" : "unshifted";
  if (isOp(node, "Pad")) return padsPlaces(node);
  if (isOp(node, "Resize", "Upsample")) return interpolates(node) ? "always" : undefined;
  return undefined;
}

/** Whether no window counts zeros of the padding. */
function averages(node: Node): boolean {
  if (node.int("count_include_pad", 0) === 0) return true;
  const unpadded = ["NOTSET", "VALID"].includes(node.string("auto_pad", "NOTSET"));
  return unpadded && node.int("ceil_mode", 0) === 0 && node.ints("pads", []).every((p) => p === 0);
}

/** A Pad that repeats elements of the same channel, or adds zeros next to them. */
function padsPlaces(node: Node): "always" | "unshifted" | undefined {
  const pads = node.ints("pads") ?? constantInts(node.input(1));
  if (!pads || node.input(3)) return undefined;
  const rank = pads.length / 2;
  if (![0, 1, rank, rank + 1].every((i) => pads[i] === 0)) return undefined;
  if (["reflect", "edge", "wrap"].includes(node.string("mode", "constant"))) return "always";
  const value = node.input(2) ? constantOf(node.input(2))?.numbers()[0] : node.float("value", 0);
  return value === 0 ? "unshifted" : undefined;
}

/** Whether a Resize stays within its channels and within the image. */
function interpolates(node: Node): boolean {
  const scales = constantOf(node.input(isOp(node, "Upsample") || node.inputs.length === 2 ? 1 : 2))?.numbers();
  const inside = node.string("coordinate_transformation_mode", "half_pixel") !== "tf_crop_and_resize";
  return inside && scales?.[0] === 1 && scales[1] === 1 && node.int("exclude_outside", 0) === 0 && !node.ints("axes");
}
