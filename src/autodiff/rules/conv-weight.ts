/** The gradient of a convolution to its weight: products of the output's gradient with the input as each kernel place sees it. */
import type { Value } from "../../ir/index.ts";
import { type Shape, sizeOf } from "../../tensor/index.ts";
import type { Emitter } from "../emitter.ts";
import type { Window } from "../window.ts";

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

/** For each kernel place, row-major: the element that it reads at every output position, [N, I, places…]. */
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
