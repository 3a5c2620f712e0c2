/** Slice: zeros are put where it did not read. */
import type { Value } from "../../../ir/inner.ts";
import { type Shape, Tensor } from "../../../tensor/inner.ts";
import type { Backward, InputGradients } from "../../rule.ts";
import { movedBack } from "./movement-index.ts";

/** What a slice with constant bounds reads along one axis: `count` elements from `first` on. */
interface Read {
  readonly axis: number;
  readonly first: number;
  readonly step: number;
}

export function slice(b: Backward): InputGradients {
  const reads = readsOf(b);
  if (!reads) return [movedBack(b)];
  const [from, to] = [b.outShape, b.shapeOf(0)];
  const backward = reads.filter(({ step }) => step < 0);
  let dy = b.dy;
  if (backward.length > 0) {
    const all = (value: number) => backward.map(() => value);
    dy = b.slice(
      dy,
      backward.map(({ axis }) => axis),
      all(-1),
      all(Number.MIN_SAFE_INTEGER),
      all(-1),
    );
  }
  const stride = from.map((_, axis) => Math.abs(reads.find((read) => read.axis === axis)?.step ?? 1));
  if (stride.some((step) => step !== 1)) dy = apart(b, dy, from, stride);
  const begin = from.map((length, axis) => {
    const read = reads.find((one) => one.axis === axis);
    if (!read) return 0;
    return read.step > 0 ? read.first : read.first + read.step * (length - 1);
  });
  const end = from.map((length, axis) => to[axis]! - begin[axis]! - length * stride[axis]!);
  const pads = [...begin, ...end];
  return [pads.every((p) => p === 0) ? dy : b.op("Pad", [dy, b.ints(pads)])];
}

/**
 * Zeros after each element, [n] to [n · step]. Along the last two axes ConvTranspose with a kernel of one does it in an eighth of
 * the time that Pad takes (0.27 against 2.26 ms for 4 MB).
 */
function apart(b: Backward, dy: Value, from: Shape, stride: readonly number[]): Value {
  const to = from.map((length, axis) => length * stride[axis]!);
  if (from.length >= 2 && stride.slice(0, -2).every((step) => step === 1)) {
    const steps = stride.slice(-2);
    const one = b.constant(Tensor.float32([1, 1, 1, 1], [1]));
    const spread = b.op("ConvTranspose", [b.reshape(dy, [-1, 1, ...from.slice(-2)]), one], {
      kernel_shape: [1, 1],
      strides: steps,
      output_padding: steps.map((step) => step - 1),
    });
    return b.reshape(spread, to);
  }
  // [n] as [n, 1] padded to [n, step].
  const pads = [from.flatMap(() => [0, 0]), stride.flatMap((step) => [0, step - 1])].flat();
  const single = b.reshape(
    dy,
    from.flatMap((length) => [length, 1]),
  );
  return b.reshape(b.op("Pad", [single, b.ints(pads)]), to);
}

/** Null where the bounds are computed, or nothing is read. */
function readsOf(b: Backward): Read[] | null {
  const shape = b.shapeOf(0);
  if (b.outShape.includes(0)) return null;
  const constants = [1, 2, 3, 4].map((index) => {
    const value = b.node.input(index);
    return value && b.constantOf(value)?.numbers();
  });
  if (constants.includes(undefined)) return null;
  const [starts, , axes, steps] = constants;
  return starts!.map((start, i) => {
    const axis = ((axes?.[i] ?? i) + shape.length) % shape.length;
    const length = shape[axis]!;
    const step = steps?.[i] ?? 1;
    const from = start < 0 ? start + length : start;
    return { axis, step, first: Math.min(Math.max(from, 0), step > 0 ? length : length - 1) };
  });
}
