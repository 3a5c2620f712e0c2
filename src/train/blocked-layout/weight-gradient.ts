/** Weight gradients in blocks: convolutions whose kernel is the gradient of the output, as large as an image. */
import { type DeferredWeightGradient, deferredWeightGradient, type Emitter } from "../../autodiff/inner.ts";
import type { Value } from "../../ir/inner.ts";
import { sizeOf, Tensor } from "../../tensor/inner.ts";
import { blockedOp, type Converter, type Layouts } from "./blocks.ts";

/** The node of a deferred weight gradient; the result is plain, weights are small. Null: leave it to standard operators. */
export const weightGradient: Converter = (layouts, node, e) => {
  const one = deferredWeightGradient(node);
  // What the last window leaves unseen would make the result larger than the kernel; 1×1 is a matrix product anyway.
  if (one?.window.kernel.length !== 2 || one.window.end.some((p) => p < 0)) return null;
  if (sizeOf(one.window.kernel) === 1 || !layouts.fits(one.dy)) return null;
  const { groups, inputShape, outputShape } = one;
  const isDepthwise = groups > 1 && inputShape[1] === groups && outputShape[1] === groups;
  if (isDepthwise) return layouts.fits(one.x) ? { plain: depthwise(layouts, one, e) } : null;
  return groups === 1 && inputShape[0]! % layouts.block === 0 ? { plain: dense(layouts, one, e) } : null;
};

/** Where the window's strides and dilations change places: the kernel's elements lie `strides` apart. */
function swapped({ kernel, strides, dilations, begin, end }: DeferredWeightGradient["window"], places: number[]) {
  return {
    kernel,
    places,
    attributes: { kernel_shape: places, strides: [...dilations], dilations: [...strides] },
    begin,
    end,
  };
}

/**
 * dw[c] = Σ over samples of x[n, c] correlated with dy[n, c]: a depthwise Conv of one sample with N · C channels. In blocks x
 * and dy lie in memory as its input and its weights.
 */
function depthwise(layouts: Layouts, one: DeferredWeightGradient, e: Emitter): Value {
  const { block } = layouts;
  const [samples = 1, channels = 1, ...lengths] = one.inputShape;
  const places = one.outputShape.slice(2);
  const { kernel, attributes, begin, end } = swapped(one.window, places);
  const planes = samples * channels;
  const x = e.reshape(layouts.blocked(one.x), [1, planes, ...lengths]);
  const dy = e.reshape(layouts.blocked(one.dy), [planes, 1, ...places]);
  const each = blockedOp(e, "Conv", [x, dy], { ...attributes, pads: [...begin, ...end], group: planes });
  const size = sizeOf(kernel);
  const sum = e.sum(e.reshape(each, [samples, channels / block, size, block]), [0]);
  return e.reshape(e.transpose(sum, [0, 2, 1]), [channels, 1, ...kernel]);
}

/**
 * dw[o, i] = Σ over samples of x[n, i] correlated with dy[n, o]: a Conv with samples as channels and channels as samples. The
 * input is padded by a pass of its own, since padding inside would fall on every element of a large kernel.
 */
function dense(layouts: Layouts, one: DeferredWeightGradient, e: Emitter): Value {
  const { block } = layouts;
  const [samples = 1, inputs = 1] = one.inputShape;
  const [, outputs = 1, ...places] = one.outputShape;
  const { kernel, attributes, begin, end } = swapped(one.window, places);
  const { input, together } = turnedInput(layouts, one, e);
  const ones = e.constant(Tensor.float32([samples, 1, 1, 1], new Float32Array(samples).fill(1)));
  const pads = [...begin, ...end].map((p, i) => (i % 2 === 1 ? p * together : p));
  const padded = pads.some((p) => p > 0)
    ? blockedOp(e, "Conv", [input, ones], { kernel_shape: [1, 1], pads, group: samples })
    : input;
  const weights = asWeights(layouts, one.dy, [samples, outputs, ...places], e);
  const [down, across] = attributes.dilations;
  const result = blockedOp(e, "Conv", [padded, weights], { ...attributes, dilations: [down!, across! * together] });
  const split = e.reshape(result, [inputs / together, outputs / block, sizeOf(kernel), together, block]);
  return e.reshape(e.transpose(split, [1, 4, 0, 3, 2]), [outputs, inputs, ...kernel]);
}

/**
 * x with channels and samples swapped, in blocks of samples. When x is in blocks, the channels of a block stay side by side,
 * [I / b, N, h, w · b]: x then lies as if it were plain with samples for channels, and the Conv has rows of b · kw outputs. With kw outputs alone it would have
 * too few sums at a time to keep the multipliers busy (3.3 instead of 2.1 ms for 16 → 16 @ 32²).
 */
function turnedInput(layouts: Layouts, { x, inputShape, window }: DeferredWeightGradient, e: Emitter) {
  const { block } = layouts;
  const [samples = 1, inputs = 1, high = 1, wide = 1] = inputShape;
  if (!layouts.fits(x) || window.dilations[1] !== 1) {
    return { input: blockedOp(e, "ReorderInput", [e.transpose(x, [1, 0, 2, 3])]), together: 1 };
  }
  const shape = [inputs / block, samples, high, wide * block];
  const across = inputs / block;
  const together = block;
  const rows = e.reshape(layouts.blocked(x), [1, samples, across * high, wide * block]);
  const turned = blockedOp(e, "ReorderInput", [rows]);
  if (across === 1) return { input: turned, together };
  const tiles = e.reshape(turned, [samples / block, across, high * wide * block, block]);
  return { input: e.reshape(e.transpose(tiles, [1, 0, 2, 3]), shape), together };
}

/**
 * dy [N, O, …] as blocked weights [O, N, …], in memory [O / b, N / b, positions, b of N, b of O]. For each pair of blocks dy lies
 * as [b of N, positions, b of O], which is the blocked form of b · b channels; putting these last is what ReorderOutput does.
 */
function asWeights(layouts: Layouts, dy: Value, [samples, outputs, ...places]: number[], e: Emitter): Value {
  const { block } = layouts;
  const [across, down] = [outputs! / block, samples! / block];
  const row = sizeOf(places) * block;
  const byOutputs = e.transpose(
    e.reshape(layouts.blocked(dy), [samples!, across, row]),
    across === 1 ? [0, 1, 2] : [1, 0, 2],
  );
  const tiles = e.reshape(byOutputs, [across * down, block * block, ...places]);
  const last = blockedOp(e, "ReorderOutput", [tiles], { channels: block * block, channels_last: 1 });
  return e.reshape(last, [outputs!, samples!, ...places]);
}
