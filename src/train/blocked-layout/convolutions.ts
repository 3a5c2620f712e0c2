/** Convolutions in blocks: plain ones, depthwise ones, and the transposed depthwise ones of input gradients. */
import type { Emitter } from "../../autodiff/inner.ts";
import type { AttributeLike, Node, Value } from "../../ir/inner.ts";
import type { Shape } from "../../tensor/inner.ts";
import { blockedDepthwise, blockedOp, blockedWeight, type Converted, type Converter, type Layouts } from "./blocks.ts";

/** Conv and FusedConv with two spatial axes and explicit padding. */
export const convolution: Converter = (layouts, node, e) => {
  const [x, w, bias, sum] = [0, 1, 2, 3].map((i) => node.input(i)) as [Value, Value, Value | null, Value | null];
  const weight = layouts.shapeOf(w);
  if (weight?.length !== 4 || node.string("auto_pad", "NOTSET") !== "NOTSET") return null;
  const activation = node.string("activation");
  if (activation !== undefined && activation !== "Relu") return null;
  const groups = node.int("group", 1);
  const isDepthwise = groups > 1 && groups === weight[0] && weight[1] === 1;
  if (sum && !layouts.fits(sum)) return null;
  if (isDepthwise) {
    if (!layouts.fits(x)) return null;
    const made = blockedDepthwise(e, w, weight, layouts.block);
    return { blocked: conv(e, node, [layouts.blocked(x), made, bias, sum && layouts.blocked(sum)]) };
  }
  return groups === 1 ? dense(layouts, node, e, weight) : null;
};

function dense(layouts: Layouts, node: Node, e: Emitter, weight: Shape): Converted | null {
  const { block } = layouts;
  const [x, w, bias, sum] = [0, 1, 2, 3].map((i) => node.input(i)) as [Value, Value, Value | null, Value | null];
  const [outputs, inputs, ...kernel] = weight as [number, number, ...number[]];
  // With fewer channels than a block the kernel reads the input as it is.
  const readsPlain = inputs < block;
  if (!readsPlain && !layouts.fits(x)) return null;
  const input = readsPlain ? x : layouts.blocked(x);
  if (outputs % block === 0) {
    const made = blockedWeight(e, w, weight, block);
    return { blocked: conv(e, node, [input, made, bias, sum && layouts.blocked(sum)]) };
  }
  if (readsPlain || bias || sum || outputs > block) return null;
  // Outputs are filled up to one block, and cut off where the result is put back.
  const filled = e.op("Pad", [w, e.ints([0, 0, 0, 0, block - outputs, 0, 0, 0])]);
  const made = blockedWeight(e, filled, [block, inputs, ...kernel], block);
  return { plain: blockedOp(e, "ReorderOutput", [conv(e, node, [input, made])], { channels: outputs }) };
}

function conv(e: Emitter, { attributes }: Node, inputs: readonly (Value | null)[]): Value {
  return blockedOp(e, "Conv", inputs, Object.fromEntries(attributes) as Record<string, AttributeLike>);
}

/**
 * ConvTranspose of a depthwise Conv with stride: zeros are put between the elements, then it is a Conv with the weight turned
 * around. That is four times the products and still cheaper than leaving the layout.
 */
export const depthwiseTransposed: Converter = (layouts, node, e) => {
  const [x, w] = [node.input(0)!, node.input(1)!];
  const [weight, from, to] = [layouts.shapeOf(w), layouts.shapeOf(x), layouts.shapeOf(node.output)];
  const { block } = layouts;
  const [samples, channels, high, wide] = from ?? [];
  if (weight?.length !== 4 || !to || !samples || !channels || !high || !wide || !layouts.fits(x)) return null;
  if (node.int("group", 1) !== channels || weight[0] !== channels || weight[1] !== 1 || node.input(2)) return null;
  const kernel = weight.slice(2);
  const [down = 1, across = 1] = node.ints("strides", [1, 1]);
  const dilations = node.ints("dilations", [1, 1]);
  const pads = node.ints("pads", [0, 0, 0, 0]);
  const reach = kernel.map((k, i) => (k - 1) * dilations[i]!);
  const before = reach.map((r, i) => r - pads[i]!);
  const lengths = [high * down, wide * across];
  const after = reach.map((r, i) => to[i + 2]! - lengths[i]! - before[i]! + r);
  if ([...before, ...after].some((p) => p < 0)) return null;
  const rows = (samples * channels) / block;
  const apart = e.op("Pad", [
    e.reshape(layouts.blocked(x), [rows, high, 1, wide, block]),
    e.ints([0, 0, 0, 0, 0, 0, 0, down - 1, 0, (across - 1) * block]),
  ]);
  const spread = e.reshape(apart, [samples, channels, ...lengths]);
  const size = kernel[0]! * kernel[1]!;
  const reversed = e.ints(Array.from({ length: size }, (_, k) => size - 1 - k));
  const turned = e.op("Gather", [e.reshape(w, [channels, 1, size]), reversed], { axis: 2 });
  const made = blockedDepthwise(e, turned, weight, block);
  return {
    blocked: blockedOp(e, "Conv", [spread, made], {
      kernel_shape: kernel,
      dilations,
      pads: [...before, ...after],
      group: channels,
    }),
  };
};
