/** Convolutions and matrix products. */
import type { Value } from "../../../ir/inner.ts";
import type { Shape } from "../../../tensor/inner.ts";
import type { Backward, GradientRow, InputGradients } from "../../rule.ts";
import { windowOf } from "../../window.ts";
import { convInputGradient } from "./conv-input.ts";
import { convWeightGradient } from "./conv-weight.ts";
import { deformConv } from "./deform-conv.ts";
import { einsum } from "./einsum.ts";

/** Sum over samples and positions: the gradient of a bias [O]. */
function biasGradient(b: Backward, dy: Value): Value | null {
  return b.wants(2)
    ? b.sum(
        dy,
        b.outShape.map((_, axis) => axis).filter((axis) => axis !== 1),
      )
    : null;
}

/**
 * Gradients to x, w and bias of y = Conv(x, w) + bias from the gradient of y, which is `dy` where something is fused behind.
 * `weightGradient` writes that of w.
 */
export function convGradients(b: Backward, dy: Value, weightGradient = convWeightGradient): InputGradients {
  const [x, y, w] = [b.shapeOf(0), b.outShape, b.shapeOf(1)];
  const groups = b.node.int("group", 1);
  const window = windowOf(b.node, x.slice(2), y.slice(2), w.slice(2));
  return [
    b.wants(0) ? convInputGradient(b, dy, b.input(1), w, groups, window) : null,
    b.wants(1) ? weightGradient(b, b.input(0), x, dy, y, groups, window) : null,
    biasGradient(b, dy),
  ];
}

/** ConvTranspose is the input gradient of a Conv with the same weight, so its own gradients are that Conv and its dw. */
function convTranspose(b: Backward): InputGradients {
  const [x, y, w] = [b.shapeOf(0), b.outShape, b.shapeOf(1)];
  const group = b.node.int("group", 1);
  const { begin, end, ...rest } = transposedWindow(b, x, y, w);
  const window = { ...rest, begin, end };
  const attributes = {
    kernel_shape: [...window.kernel],
    strides: [...window.strides],
    dilations: [...window.dilations],
    pads: [...begin, ...end.map((p) => Math.max(p, 0))],
    group,
  };
  return [
    b.wants(0) ? b.op("Conv", [b.dy, b.input(1)], attributes) : null,
    b.wants(1) ? convWeightGradient(b, b.dy, y, b.input(0), x, group, window) : null,
    biasGradient(b, b.dy),
  ];
}

/** The window of the Conv that leads from y back to x. */
function transposedWindow(b: Backward, x: Shape, y: Shape, w: Shape): ReturnType<typeof windowOf> {
  const { node } = b;
  const window = windowOf(node, y.slice(2), x.slice(2), w.slice(2));
  if (!node.ints("output_shape") && node.string("auto_pad", "NOTSET") === "NOTSET") return window;
  const reach = window.begin.map((p, i) => p + window.end[i]! + y[i + 2]!);
  const added = node.ints(
    "output_padding",
    window.kernel.map(() => 0),
  );
  const begin = reach.map((r, i) => {
    const total = Math.max(r + added[i]! - y[i + 2]!, 0);
    return node.string("auto_pad", "NOTSET") === "SAME_UPPER" ? Math.floor(total / 2) : total - Math.floor(total / 2);
  });
  return { ...window, begin, end: reach.map((r, i) => r - y[i + 2]! - begin[i]!) };
}

/** Gradients of y = α · A · B + β · C from that of y. */
export function gemmGradients(b: Backward, dy: Value): InputGradients {
  const { node } = b;
  const [transA, transB] = [node.int("transA", 0), node.int("transB", 0)];
  const alpha = { type: "float", value: node.float("alpha", 1) } as const;
  const product = (first: Value, second: Value, a: number, c: number) =>
    b.op("Gemm", [first, second], { alpha, transA: a, transB: c });
  const beta = node.float("beta", 1);
  const bias = b.wants(2) ? b.unbroadcast(dy, b.outShape, b.shapeOf(2)) : null;
  const [left, right] = [b.input(0), b.input(1)];
  return [
    b.wants(0) ? (transA ? product(right, dy, transB, 1) : product(dy, right, 0, 1 - transB)) : null,
    b.wants(1) ? (transB ? product(dy, left, 1, transA) : product(left, dy, 1 - transA, 0)) : null,
    bias && beta !== 1 ? b.mul(bias, beta) : bias,
  ];
}

function matMul(b: Backward): InputGradients {
  const [left, right] = [b.shapeOf(0), b.shapeOf(1)];
  // A vector takes part as a matrix of one row or one column.
  const a = left.length === 1 ? [1, left[0]!] : left;
  const c = right.length === 1 ? [right[0]!, 1] : right;
  const batch = b.outShape.slice(0, b.outShape.length - (left.length > 1 ? 1 : 0) - (right.length > 1 ? 1 : 0));
  const [rows, inner, columns] = [a.at(-2)!, a.at(-1)!, c.at(-1)!];
  const as = (value: Value, from: Shape, to: Shape) => (from.length === to.length ? value : b.reshape(value, to));
  const dy = as(b.dy, b.outShape, [...batch, rows, columns]);
  const first = () => as(b.input(0), left, a);
  const second = () => as(b.input(1), right, c);
  const toLeft = () => {
    const product = b.matMul(dy, b.swapLast(second(), c.length));
    return as(b.unbroadcast(product, [...batch, rows, inner], a), a, left);
  };
  const toRight = () => {
    if (c.length === 2) {
      // One matrix for all: samples and rows are summed by the product itself.
      const flat = b.op("Gemm", [b.reshape(first(), [-1, inner]), b.reshape(dy, [-1, columns])], { transA: 1 });
      return as(flat, c, right);
    }
    const product = b.matMul(b.swapLast(first(), a.length), dy);
    return as(b.unbroadcast(product, [...batch, inner, columns], c), c, right);
  };
  return [b.wants(0) ? toLeft() : null, b.wants(1) ? toRight() : null];
}

const integers = { flat: "integers have no gradient" } as const;

export const linear = {
  Conv: (b) => convGradients(b, b.dy),
  ConvInteger: integers,
  ConvTranspose: convTranspose,
  DeformConv: deformConv,
  Einsum: einsum,
  Gemm: (b) => gemmGradients(b, b.dy),
  MatMul: matMul,
  MatMulInteger: integers,
  QLinearConv: integers,
  QLinearMatMul: integers,
} satisfies Record<string, GradientRow>;
