/**
 * The gradient of a convolution to its weight: products of the output's gradient with the input as each kernel place sees it.
 * There are three forms. Which is fastest depends on the shape; milliseconds of one thread for 3×3 kernels, batch 64
 * (depthwise: 32), measured as processor time with ONNX Runtime 1.30 on an AVX-512 machine:
 *
 * | channels @ positions | stride | slices | columns | shifts |
 * | --- | --- | --- | --- | --- |
 * | 16 → 16 @ 32² | 1 | 8.3 | 7.0 | 5.6 |
 * | 32 → 32 @ 16² | 1 | 4.7 | 4.4 | 4.1 |
 * | 64 → 64 @ 8² | 1 | 3.4 | 3.7 | 4.2 |
 * | 16 → 32 @ 32² | 2 | 4.1 | 2.6 | |
 * | 3 → 16 @ 32² | 1 | 1.1 | 0.8 | 1.7 |
 * | depthwise 32 @ 24² | 1 | 2.2 | 3.5 | 3.8 |
 * | depthwise 32 @ 24² | 2 | 1.8 | 0.8 | |
 *
 * Slices are copied by one thread alone, so with several threads they lose what they win at 8².
 */
import type { Value } from "../../../ir/inner.ts";
import { type Shape, sizeOf, Tensor } from "../../../tensor/inner.ts";
import type { Emitter } from "../../emitter.ts";
import type { Window } from "../../window.ts";

interface Problem {
  readonly x: Value;
  /** [N, I, …] */
  readonly inputShape: Shape;
  readonly dy: Value;
  /** [N, O, …] */
  readonly outputShape: Shape;
  readonly groups: number;
  readonly window: Window;
}

type Form = "slices" | "columns" | "shifts";

/** dw [O, I / groups, k…] of y = Conv(x, w) from x [N, I, …] and dy [N, O, …]. */
export function convWeightGradient(
  e: Emitter,
  x: Value,
  inputShape: Shape,
  dy: Value,
  outputShape: Shape,
  groups: number,
  window: Window,
): Value {
  const problem = { x, inputShape, dy, outputShape, groups, window };
  return forms[formFor(problem)](e, problem);
}

function formFor({ inputShape, outputShape, groups, window }: Problem): Form {
  const { kernel, strides, end } = window;
  const isStrided = strides.some((s) => s !== 1);
  const isImage = kernel.length === 2 && sizeOf(kernel) > 1;
  // A Conv can leave elements at the end unseen, but not more than its stride steps over.
  const reachesEnd = end.every((p, i) => p > -strides[i]!);
  if (!isImage || !reachesEnd) return "slices";
  if (inputShape[1] === groups && groups > 1) return isStrided ? "columns" : "slices";
  if (groups > 1) return "slices";
  const isLarge = inputShape[1]! >= 8 && sizeOf(outputShape.slice(2)) > 64;
  return !isStrided && isLarge ? "shifts" : "columns";
}

const forms: Readonly<Record<Form, (e: Emitter, problem: Problem) => Value>> = {
  slices: bySlices,
  columns: byColumns,
  shifts: byShifts,
};

/** A Conv that copies each channel once for every place of the kernel: channel c, place k → channel c · |k| + k. */
function copies(e: Emitter, x: Value, channels: number, window: Omit<Window, "end">, end: readonly number[]): Value {
  const { kernel, strides, dilations, begin } = window;
  const size = sizeOf(kernel);
  const oneHot = new Float32Array(channels * size * size);
  for (let c = 0; c < channels; c++) for (let k = 0; k < size; k++) oneHot[(c * size + k) * size + k] = 1;
  return e.op("Conv", [x, e.constant(Tensor.float32([channels * size, 1, ...kernel], oneHot))], {
    kernel_shape: [...kernel],
    strides: [...strides],
    dilations: [...dilations],
    pads: [...begin, ...end.map((p) => Math.max(p, 0))],
    group: channels,
  });
}

/** One product for each sample and group with the columns [I · |k|, positions] of the input. */
function byColumns(e: Emitter, { x, inputShape, dy, outputShape, groups, window }: Problem): Value {
  const [samples = 1, inputs = 1] = inputShape;
  const [, outputs = 1, ...places] = outputShape;
  const rows = (inputs / groups) * sizeOf(window.kernel);
  const columns = e.reshape(copies(e, x, inputs, window, window.end), [samples, groups, rows, -1]);
  const g = e.reshape(dy, [samples, groups, outputs / groups, sizeOf(places)]);
  const products = e.sum(e.matMul(columns, e.swapLast(g, 4)), [0]);
  return e.reshape(e.transpose(products, [0, 2, 1]), [outputs, inputs / groups, ...window.kernel]);
}

/**
 * The input shifted along the last axis times the gradient shifted against it along the axis before: kh + kw copies give all
 * kh · kw positions in one product. Stride 1, two spatial axes, one group.
 */
function byShifts(e: Emitter, { x, inputShape, dy, outputShape, window }: Problem): Value {
  const [samples = 1, inputs = 1] = inputShape;
  const [, outputs = 1] = outputShape;
  const [high = 1, wide = 1] = window.kernel;
  const [far = 1, apart = 1] = window.dilations;
  const columns = { ...window, kernel: [1, wide], dilations: [1, apart] };
  const margin = [(high - 1) * far, 0];
  const rows = { kernel: [high, 1], strides: [1, 1], dilations: [far, 1], begin: margin };
  const seen = e.reshape(copies(e, x, inputs, columns, window.end), [samples, inputs * wide, -1]);
  const given = e.reshape(copies(e, dy, outputs, rows, margin), [samples, outputs * high, -1]);
  const products = e.sum(e.matMul(given, e.swapLast(seen, 3)), [0]);
  const split = e.reshape(products, [outputs, high, inputs, wide]);
  // Place j of the copies has the gradient moved by (high − 1 − j) rows.
  const upright = e.op("Gather", [split, e.ints(Array.from({ length: high }, (_, j) => high - 1 - j))], { axis: 1 });
  return e.transpose(upright, [0, 2, 1, 3]);
}

/** One slice of the input for each place. */
function bySlices(e: Emitter, { x, inputShape, dy, outputShape, groups, window }: Problem): Value {
  const { kernel } = window;
  const [samples = 1, inputs = 1] = inputShape;
  const [, outputs = 1, ...places] = outputShape;
  const positions = sizeOf(places);
  const [perInput, perOutput] = [inputs / groups, outputs / groups];
  const seen = seenBy(e, x, inputShape, places, window);
  if (perInput === 1) {
    const g = e.reshape(dy, [samples, groups, perOutput, positions]);
    const sums = seen.map((part) => e.sum(e.mul(g, e.reshape(part, [samples, groups, 1, positions])), [0, 3]));
    const stacked = e.concat(
      sums.map((sum) => e.reshape(sum, [outputs, 1])),
      1,
    );
    return e.reshape(stacked, [outputs, 1, ...kernel]);
  }
  const columns = e.concat(
    seen.map((part) => e.reshape(part, [samples, groups, perInput, positions])),
    2,
  );
  const g = e.reshape(dy, [samples, groups, perOutput, positions]);
  const products = e.sum(e.matMul(g, e.swapLast(columns, 4)), [0]);
  const size = sizeOf(kernel);
  const ordered = e.transpose(e.reshape(products, [outputs, size, perInput]), [0, 2, 1]);
  return e.reshape(ordered, [outputs, perInput, ...kernel]);
}
/** For each kernel place, row-major: the element that it reads at every output position, [N, I, positions…]. */
function seenBy(e: Emitter, x: Value, inputShape: Shape, places: readonly number[], window: Window): Value[] {
  const { kernel, strides, dilations, begin, end } = window;
  const padded = padding(e, x, begin, end);
  const axes = kernel.map((_, i) => i + 2);
  const isWhole = sizeOf(kernel) === 1 && places.every((length, i) => length === inputShape[i + 2]);
  if (isWhole) return [padded];
  return placesOf(kernel).map((at) => {
    const starts = at.map((k, i) => k * dilations[i]!);
    const ends = starts.map((start, i) => start + (places[i]! - 1) * strides[i]! + 1);
    return e.slice(padded, axes, starts, ends, [...strides]);
  });
}

function padding(e: Emitter, x: Value, begin: readonly number[], end: readonly number[]): Value {
  const pads = [0, 0, ...begin, 0, 0, ...end.map((p) => Math.max(p, 0))];
  return pads.some((p) => p !== 0) ? e.op("Pad", [x, e.ints(pads)]) : x;
}

/** All index tuples of a kernel, the last axis fastest. */
function placesOf(kernel: readonly number[]): number[][] {
  return kernel.reduce<number[][]>(
    (found, length) => found.flatMap((at) => Array.from({ length }, (_, k) => [...at, k])),
    [[]],
  );
}
