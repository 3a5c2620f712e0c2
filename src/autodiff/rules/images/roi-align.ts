/** RoiAlign (He et al., Mask R-CNN, 2017): bilinear samples are separable, so a box is y = V · x · Hᵀ with small matrices. */
import type { Value } from "../../../ir/inner.ts";
import { Tensor } from "../../../tensor/inner.ts";
import type { Backward, InputGradients } from "../../rule.ts";

/** dx only: as in PyTorch, boxes are taken as given. */
export function roiAlign(b: Backward): InputGradients {
  const { node } = b;
  const samples = node.int("sampling_ratio", 0);
  if (node.string("mode", "avg") !== "avg") throw b.refusal("its mode max does not tell which sample was largest");
  if (samples <= 0) throw b.refusal("with sampling_ratio 0 the number of samples follows from the boxes");
  const [images = 1, channels = 1, height = 1, width = 1] = b.shapeOf(0);
  const [boxes = 1, , rows = 1, columns = 1] = b.outShape;
  const corner = (i: number) => b.slice(b.input(1), [1], [i], [i + 1]);
  const vertical = samplesOf(b, corner(1), corner(3), [boxes, rows, samples, height]);
  const horizontal = samplesOf(b, corner(0), corner(2), [boxes, columns, samples, width]);
  const wide = (value: Value, shape: readonly number[]) => b.reshape(value, shape);
  const up = wide(b.swapLast(vertical, 3), [boxes, 1, height, rows]);
  const box = b.matMul(b.matMul(up, b.dy), wide(horizontal, [boxes, 1, columns, width]));
  const owners = b.op("Equal", [b.constant(Tensor.int64([images, 1], range(images))), b.input(2)]);
  const sums = b.matMul(b.asFloat(owners), b.reshape(box, [boxes, channels * height * width]));
  return [b.reshape(sums, [images, channels, height, width])];
}

const range = (length: number) => Array.from({ length }, (_, i) => i);

/** [boxes, bins, length]: the weight of each element in each bin, the mean over the samples of the bin. */
function samplesOf(
  b: Backward,
  low: Value,
  high: Value,
  [boxes, bins, samples, length]: readonly [number, number, number, number],
): Value {
  const { node } = b;
  const scale = node.float("spatial_scale", 1);
  // Up to opset 15 there was no shift by half an element.
  const half = node.string("coordinate_transformation_mode", "half_pixel") === "half_pixel";
  const at = (value: Value) => (half ? b.sub(b.mul(value, scale), b.scalar(0.5)) : b.mul(value, scale));
  const [start, end] = [at(low), at(high)];
  const size = half ? b.sub(end, start) : b.op("Max", [b.sub(end, start), b.scalar(1)]);
  const count = bins * samples;
  const offsets = range(count).map((i) => (i + 0.5) / count);
  const points = b.add(start, b.mul(size, b.constant(Tensor.float32([1, count], offsets))));
  // Samples up to one element outside read the edge; those further out read zero.
  const middle = (length - 1) / 2;
  const inside = b.within(b.sub(points, b.scalar(middle)), middle + 1);
  const clipped = b.op("Clip", [points, b.scalar(0), b.scalar(length - 1)]);
  const elements = b.constant(Tensor.float32([1, 1, length], range(length)));
  const distance = b.op("Abs", [b.sub(b.reshape(clipped, [boxes, count, 1]), elements)]);
  const tent = b.op("Relu", [b.sub(b.scalar(1), distance)]);
  const weights = b.mul(tent, b.reshape(inside, [boxes, count, 1]));
  return b.mean(b.reshape(weights, [boxes, bins, samples, length]), [2]);
}
