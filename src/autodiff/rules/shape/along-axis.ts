/** Operators along one axis. */
import type { Value } from "../../../ir/inner.ts";
import { Tensor } from "../../../tensor/inner.ts";
import type { Backward, GradientRow, InputGradients } from "../../rule.ts";

function axisOf(b: Backward): number {
  const axis = b.node.int("axis", -1);
  return axis < 0 ? axis + b.outShape.length : axis;
}

/** dx = y · (dy − Σ dy · y). */
function softmax(b: Backward): InputGradients {
  const { dy, y } = b;
  const weighed = b.mul(dy, y);
  return [b.sub(weighed, b.mul(y, b.sum(weighed, [axisOf(b)], true)))];
}

/** dx = dy − softmax(x) · Σ dy. */
function logSoftmax(b: Backward): InputGradients {
  return [b.sub(b.dy, b.mul(b.op("Exp", [b.y]), b.sum(b.dy, [axisOf(b)], true)))];
}

/** An element counts in its own sum and in all after it: the sum of their gradients, from the other end. */
function cumSum(b: Backward): InputGradients {
  const { node } = b;
  const attributes = { exclusive: node.int("exclusive", 0), reverse: 1 - node.int("reverse", 0) };
  return [b.op("CumSum", [b.dy, node.input(1)], attributes)];
}

/**
 * For each element the products with a one in its place, one row of n × n for each, weighed with the gradients of those
 * that it takes part in. It needs no division, so zeros do no harm.
 */
function cumProd(b: Backward): InputGradients {
  const { node } = b;
  const shape = b.outShape;
  const given = b.constantNumbers(1)![0]!;
  const axis = (given + shape.length) % shape.length;
  const n = shape[axis]!;
  const [exclusive, reverse] = [node.int("exclusive", 0), node.int("reverse", 0)];
  const rest = shape.map((_, i) => i).filter((i) => i !== axis);
  const perm = [...rest, axis];
  const row = (value: Value) => b.reshape(b.transpose(value, perm), [...rest.map((i) => shape[i]!), 1, n]);
  const square = (entry: (i: number, k: number) => boolean) =>
    b.constant(
      Tensor.float32(
        [n, n],
        Float32Array.from({ length: n * n }, (_, at) => (entry(Math.floor(at / n), at % n) ? 1 : 0)),
      ),
    );
  const others = b.add(
    b.mul(
      row(b.input(0)),
      square((i, k) => i !== k),
    ),
    square((i, k) => i === k),
  );
  const products = b.op("CumProd", [others, b.int(shape.length)], { exclusive, reverse });
  const reaches = (i: number, k: number) => (reverse ? i - k : k - i) >= exclusive;
  const weighed = b.mul(b.mul(products, row(b.dy)), square(reaches));
  const back = perm.map((_, i) => perm.indexOf(i));
  return [b.transpose(b.sum(weighed, [shape.length]), back)];
}

export const alongAxis = {
  CumProd: cumProd,
  CumSum: cumSum,
  Hardmax: { flat: "a one at the largest element: piecewise constant" },
  LogSoftmax: logSoftmax,
  Softmax: softmax,
} satisfies Record<string, GradientRow>;
