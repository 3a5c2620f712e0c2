/** Pools. The linear ones spread the gradient over their windows, the others send it to where the value came from. */
import type { Value } from "../../../ir/inner.ts";
import { type Shape, sizeOf, Tensor } from "../../../tensor/inner.ts";
import type { Backward, GradientRow, InputGradients } from "../../rule.ts";
import { reachOf, type Window, windowOf } from "../../window.ts";
import { roiAlign } from "./roi-align.ts";

/** Each element of y goes to the element of x that was largest, by the flat index that the forward pass can tell. */
function maxPool(b: Backward): InputGradients {
  const computed = b.node.int("storage_order", 0) === 0 ? b.node.outputs[1] : undefined;
  const attributes = Object.fromEntries(b.node.attributes);
  const indices =
    computed && computed.name !== ""
      ? computed
      : b.ops("MaxPool", 2, [b.input(0)], { ...attributes, storage_order: 0 })[1]!;
  const shape = b.shapeOf(0);
  const window = windowOf(b.node, shape.slice(2), b.outShape.slice(2), b.node.ints("kernel_shape", []));
  return [toLargest(b, indices, shape, window)];
}

/** The one window of a global pool. */
function wholeOf(shape: Shape): Window {
  const kernel = shape.slice(2);
  const zeros = kernel.map(() => 0);
  const ones = kernel.map(() => 1);
  return { kernel, strides: ones, dilations: ones, begin: zeros, end: zeros };
}

function globalMaxPool(b: Backward): InputGradients {
  const shape = b.shapeOf(0);
  const window = wholeOf(shape);
  const [, indices] = b.ops("MaxPool", 2, [b.input(0)], { kernel_shape: [...window.kernel] });
  return [toLargest(b, indices!, shape, window)];
}

/**
 * Where windows overlap, several may send to one element and are added up. Where they cannot, MaxUnpool writes each once,
 * which is cheaper than a scatter.
 */
function toLargest(b: Backward, indices: Value, shape: Shape, window: Window): Value {
  const size = sizeOf(shape);
  const flat = (value: Value) => b.reshape(value, [-1]);
  const apart = reachOf(window).every((reach, i) => reach <= window.strides[i]! || b.outShape[i + 2] === 1);
  if (apart) {
    const spread = b.op(
      "MaxUnpool",
      [b.reshape(b.dy, [1, 1, -1]), b.reshape(indices, [1, 1, -1]), b.ints([1, 1, size])],
      {
        kernel_shape: [1],
      },
    );
    return b.reshape(spread, shape);
  }
  const sums = b.op("ScatterElements", [b.filled([size], 0), flat(indices), flat(b.dy)], { axis: 0, reduction: "add" });
  return b.reshape(sums, shape);
}

/** For every element of x [N, C, …] the sum of `g` [N, C, positions…] over the windows that see it. */
export function spreadOverWindows(b: Backward, g: Value, from: Shape, shape: Shape, window: Window): Value {
  const { kernel, strides, dilations, begin, end } = window;
  const lengths = shape.slice(2);
  const places = from.slice(2);
  const tiles = kernel.every((k, i) => k * places[i]! === lengths[i] && (k === strides[i] || places[i] === 1));
  if (tiles && begin.every((p) => p === 0) && dilations.every((d) => d === 1)) {
    const lead = [shape[0]!, shape[1]!];
    const narrow = [...lead, ...places.flatMap((place) => [place, 1])];
    const wide = [...lead, ...places.flatMap((place, i) => [place, kernel[i]!])];
    return b.reshape(b.expand(b.reshape(g, narrow), wide), shape);
  }
  const planes = shape[0]! * shape[1]!;
  const ones = b.constant(Tensor.float32([1, 1, ...kernel], new Float32Array(sizeOf(kernel)).fill(1)));
  const spread = b.op("ConvTranspose", [b.reshape(g, [planes, 1, ...places]), ones], {
    kernel_shape: [...kernel],
    strides: [...strides],
    dilations: [...dilations],
    pads: [...begin, ...end.map((p) => Math.max(p, 0))],
    output_padding: end.map((p) => Math.max(-p, 0)),
  });
  return b.reshape(spread, shape);
}

function averagePool(b: Backward): InputGradients {
  const { node, dy } = b;
  const [shape, from] = [b.shapeOf(0), b.outShape];
  const window = windowOf(node, shape.slice(2), from.slice(2), node.ints("kernel_shape", []));
  return [spreadOverWindows(b, b.mul(dy, sharesOf(b, window, shape, from)), from, shape, window)];
}

/**
 * What one element counts in each window, [1, 1, positions…]. Versions of the operator differ in whether padding counts, so
 * the operator itself reports, by what it makes of ones: (elements inside) / divisor.
 */
function sharesOf(b: Backward, window: Window, shape: Shape, from: Shape): Value {
  const lengths = shape.slice(2);
  const places = from.slice(2);
  const perAxis = lengths.map((length, i) => insideOf(length, places[i]!, window, i));
  const inside = perAxis.reduce<number[]>((all, axis) => all.flatMap((a) => axis.map((c) => a * c)), [1]);
  const whole = sizeOf(window.kernel);
  if (inside.every((count) => count === whole)) return b.scalar(1 / whole);
  const counts = Tensor.float32(
    [1, 1, ...places],
    inside.map((count) => 1 / Math.max(count, 1)),
  );
  if (b.node.int("count_include_pad", 0) === 0) return b.constant(counts);
  const ones = b.filled([1, 1, ...lengths], 1);
  return b.mul(b.op("AveragePool", [ones], Object.fromEntries(b.node.attributes)), b.constant(counts));
}

/** How many positions of the kernel lie on elements, for each output position of an axis. */
function insideOf(
  length: number,
  places: number,
  { kernel, strides, dilations, begin }: Window,
  axis: number,
): number[] {
  return Array.from({ length: places }, (_, place) => {
    const start = place * strides[axis]! - begin[axis]!;
    const at = Array.from({ length: kernel[axis]! }, (_, k) => start + k * dilations[axis]!);
    return at.filter((i) => i >= 0 && i < length).length;
  });
}

function globalAveragePool(b: Backward): InputGradients {
  const shape = b.shapeOf(0);
  return [b.expand(b.mul(b.dy, 1 / sizeOf(shape.slice(2))), shape)];
}

/** y = (Σ |x|ᵖ)^(1/p): dx = sign(x) · |x|^(p − 1) · y^(1 − p) · dy. */
function lpPool(b: Backward, window: Window): InputGradients {
  const power = b.node.int("p", 2);
  const [shape, from] = [b.shapeOf(0), b.outShape];
  const x = b.input(0);
  const raised = (value: Value, to: number) => b.op("Pow", [value, b.scalar(to)]);
  // Where all elements of a window are zero there is no slope; the floor keeps 0 · ∞ away.
  const scale = power === 1 ? b.dy : b.mul(b.dy, raised(b.op("Max", [b.y, b.scalar(1e-9)]), 1 - power));
  const spread = spreadOverWindows(b, scale, from, shape, window);
  if (power === 2) return [b.mul(x, spread)];
  const sign = b.op("Sign", [x]);
  const slope = power === 1 ? sign : b.mul(sign, raised(b.op("Abs", [x]), power - 1));
  return [b.mul(slope, spread)];
}

/** y has the elements of x at their indices and zeros elsewhere: the gradient is read from there. */
function maxUnpool(b: Backward): InputGradients {
  const picked = b.op("Gather", [b.reshape(b.dy, [-1]), b.reshape(b.input(1), [-1])], { axis: 0 });
  return [b.reshape(picked, b.shapeOf(0))];
}

export const pooling = {
  AveragePool: averagePool,
  GlobalAveragePool: globalAveragePool,
  GlobalLpPool: (b) => lpPool(b, wholeOf(b.shapeOf(0))),
  GlobalMaxPool: globalMaxPool,
  LpPool: (b) =>
    lpPool(b, windowOf(b.node, b.shapeOf(0).slice(2), b.outShape.slice(2), b.node.ints("kernel_shape", []))),
  MaxPool: maxPool,
  MaxRoiPool: {
    none: "it does not tell which elements were largest, and its boxes are computed; RoiAlign has a gradient",
  },
  MaxUnpool: maxUnpool,
  RoiAlign: roiAlign,
} satisfies Record<string, GradientRow>;
