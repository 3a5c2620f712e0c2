/**
 * Deformable convolution (Dai et al., 2017; Zhu et al., 2019): the columns of a convolution, sampled where offsets point to
 * and weighed by a mask; then a product with the weight.
 */
import type { Value } from "../../../ir/inner.ts";
import { sizeOf, Tensor } from "../../../tensor/inner.ts";
import type { Backward, InputGradients } from "../../rule.ts";
import { windowOf } from "../../window.ts";
import { type Coordinate, cornersOf, sampled, toCoordinates, toImages } from "../images/sampling.ts";

export function deformConv(b: Backward): InputGradients {
  const { node } = b;
  const [x, w] = [b.shapeOf(0), b.shapeOf(1)];
  const [images = 1, inputs = 1, ...lengths] = x;
  const [outputs = 1, perGroup = 1, ...kernel] = w;
  const places = b.outShape.slice(2);
  const [count, positions] = [sizeOf(kernel), sizeOf(places)];
  const groups = node.int("group", 1);
  const shared = node.int("offset_group", 1);
  // Channels that share offsets are images of their own.
  const samples = {
    images: images * shared,
    channels: inputs / shared,
    size: sizeOf(lengths),
    points: count * positions,
  };
  const offsets = b.reshape(b.input(2), [samples.images, count, lengths.length, positions]);
  const window = windowOf(node, lengths, places, kernel);
  const coordinates = lengths.map((length, axis): Coordinate => {
    const plain = plainPoints(kernel, places, axis, window);
    const moved = b.reshape(b.slice(offsets, [2], [axis], [axis + 1]), [samples.images, 1, samples.points]);
    return { at: b.add(moved, b.constant(Tensor.float32([1, 1, samples.points], plain))), length };
  });
  const corners = cornersOf(b, coordinates);
  const flat = b.reshape(b.input(0), [samples.images, samples.channels, samples.size]);
  const mask = node.input(4) && b.reshape(b.input(4), [samples.images, 1, samples.points]);
  const apart = [samples.images, samples.channels, samples.points];
  const columns = [images, groups, perGroup * count, positions];
  const dy = b.reshape(b.dy, [images, groups, outputs / groups, positions]);
  const weight = b.reshape(b.input(1), [1, groups, outputs / groups, perGroup * count]);
  const toColumns = b.reshape(b.matMul(b.swapLast(weight, 4), dy), apart);
  const toSamples = mask ? b.mul(toColumns, mask) : toColumns;
  const read = () => sampled(b, flat, corners, samples);
  const toWeight = () => {
    const seen = mask ? b.mul(read(), mask) : read();
    const products = b.matMul(dy, b.swapLast(b.reshape(seen, columns), 4));
    return b.reshape(b.sum(products, [0]), w);
  };
  const toOffsets = () => {
    const axes = toCoordinates(b, toSamples, flat, corners, samples);
    const split = (value: Value) => b.reshape(value, [samples.images, count, 1, positions]);
    return b.reshape(b.concat(axes.map(split), 2), b.shapeOf(2));
  };
  return [
    b.wants(0) ? b.reshape(toImages(b, toSamples, corners, samples), x) : null,
    b.wants(1) ? toWeight() : null,
    b.wants(2) ? toOffsets() : null,
    b.wants(3) ? b.reshape(b.sum(dy, [0, 3]), [outputs]) : null,
    b.wants(4) ? b.reshape(b.sum(b.mul(toColumns, read()), [1]), b.shapeOf(4)) : null,
  ];
}

/** Where each kernel place lies along an axis for each output position, without offsets. */
function plainPoints(
  kernel: readonly number[],
  places: readonly number[],
  axis: number,
  { strides, dilations, begin }: ReturnType<typeof windowOf>,
): number[] {
  const along = (lengths: readonly number[], i: number) =>
    Math.floor(i / sizeOf(lengths.slice(axis + 1))) % lengths[axis]!;
  const positions = sizeOf(places);
  return Array.from({ length: sizeOf(kernel) * positions }, (_, i) => {
    const [k, place] = [along(kernel, Math.floor(i / positions)), along(places, i % positions)];
    return place * strides[axis]! - begin[axis]! + k * dilations[axis]!;
  });
}
