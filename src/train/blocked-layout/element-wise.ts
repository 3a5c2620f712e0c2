/** What works element by element is the same in any layout, and so are sums over everything; means per channel are pools. */

import type { Emitter } from "../../autodiff/inner.ts";
import { constantNumbers, isOp } from "../../facts/inner.ts";
import type { Node, Value } from "../../ir/inner.ts";
import { sizeOf, Tensor } from "../../tensor/inner.ts";
import { isPerChannel } from "../fuse-convolutions.ts";
import { blockedOp, type Converter, type Layouts } from "./blocks.ts";

const unary = [
  "Abs",
  "Exp",
  "Erf",
  "HardSigmoid",
  "HardSwish",
  "Identity",
  "LeakyRelu",
  "Log",
  "Neg",
  "Reciprocal",
  "Relu",
];
const more = ["Round", "Sigmoid", "Sign", "Softplus", "Sqrt", "Tanh"];
const variadic = ["Add", "Clip", "Div", "Max", "Min", "Mul", "Pow", "Sub", "Sum"];

/** Operands have the shape of the result, or one element, or (of two) one per channel. */
export const elementWise: Converter = (layouts, node, e) => {
  if (!layouts.fits(node.output)) return null;
  const large = node.inputs.filter((value) => value && sameShape(layouts, value, node.output));
  if (!large.some((value) => layouts.isBlocked(value))) return null;
  const perChannel = channelwise(layouts, node, e);
  if (perChannel) return { blocked: perChannel };
  const fits = node.inputs.every((value) => !value || large.includes(value) || isSingle(layouts, value));
  if (!fits) return null;
  return { blocked: again(layouts, node, e) };
};

/** Fake quantization with one scale: the pair is moved together, since integers cannot be reordered. */
export const quantizer: Converter = (layouts, node, e) => {
  const x = node.input(0)!;
  if (!layouts.isBlocked(x) || !node.inputs.slice(1).every((value) => !value || isSingle(layouts, value))) return null;
  const isPair = (reader: Node) =>
    isOp(reader, "DequantizeLinear") && reader.inputs.slice(1).every((value) => !value || isSingle(layouts, value));
  if (isOp(node, "QuantizeLinear")) {
    if (node.output.isGraphOutput || !node.output.consumers().every(isPair)) return null;
  }
  return { blocked: again(layouts, node, e) };
};

/** Mean or sum over samples and positions, or over everything. */
export const reduction: Converter = (layouts, node, e) => {
  const x = node.input(0)!;
  if (!layouts.isBlocked(x)) return null;
  const axes = node.input(1) ? constantNumbers(node.input(1)) : [0, 1, 2, 3];
  const keepdims = node.int("keepdims", 1);
  if (!axes || (axes.length === 0 && node.int("noop_with_empty_axes", 0) !== 0)) return null;
  const over = [...axes].map((axis) => (axis + 4) % 4).sort();
  if (over.length === 4) return { plain: e.op(node.op, [layouts.blocked(x), node.input(1)], { keepdims }) };
  if (String(over) !== "0,2,3") return null;
  const [samples = 1, , ...lengths] = layouts.shapeOf(x)!;
  // With one place left, blocked and plain are the same.
  const means = blockedOp(e, "GlobalAveragePool", [layouts.blocked(x)]);
  const mean = e.op("ReduceMean", [means, e.ints([0, 2, 3])], { keepdims });
  return { plain: node.op === "ReduceMean" ? mean : e.mul(mean, samples * sizeOf(lengths)) };
};

export const globalPool: Converter = (layouts, node, e) => {
  const x = node.input(0)!;
  return layouts.isBlocked(x) ? { plain: blockedOp(e, "GlobalAveragePool", [layouts.blocked(x)]) } : null;
};

export const elementWiseOps: readonly string[] = [...unary, ...more, ...variadic];

function sameShape(layouts: Layouts, a: Value, b: Value): boolean {
  return String(layouts.shapeOf(a)) === String(layouts.shapeOf(b));
}

function isSingle(layouts: Layouts, value: Value): boolean {
  const shape = layouts.shapeOf(value);
  return shape !== undefined && sizeOf(shape) === 1;
}

/** The same node on blocked operands. */
function again(layouts: Layouts, node: Node, e: Emitter): Value {
  const isLarge = (value: Value) => layouts.isBlocked(value) || layouts.fits(value);
  const inputs = node.inputs.map((value) => (value && isLarge(value) ? layouts.blocked(value) : value));
  return e.op(node.op, inputs, Object.fromEntries(node.attributes));
}

/** x · s, x + b, x − b with numbers per channel: a depthwise Conv with 1×1 kernels. */
function channelwise(layouts: Layouts, node: Node, e: Emitter): Value | null {
  if (!isOp(node, "Mul", "Add", "Sub") || node.inputs.length !== 2) return null;
  const shape = layouts.shapeOf(node.output)!;
  const at = [0, 1].find((i) => isPerChannel(layouts.shapeOf(node.input(i)), shape));
  if (at === undefined || (node.op === "Sub" && at === 0)) return null;
  const channels = shape[1]!;
  const numbers = e.reshape(node.input(at)!, [channels]);
  const ones = () => e.constant(Tensor.float32([channels, 1, 1, 1], new Float32Array(channels).fill(1)));
  const weight = node.op === "Mul" ? e.reshape(numbers, [channels, 1, 1, 1]) : ones();
  const bias = node.op === "Mul" ? null : node.op === "Add" ? numbers : e.neg(numbers);
  const x = layouts.blocked(node.input(1 - at)!);
  return blockedOp(e, "Conv", [x, weight, bias], { kernel_shape: [1, 1], group: channels });
}
