/** Operators that put elements somewhere. */
import type { Value } from "../../../ir/inner.ts";
import { Tensor } from "../../../tensor/inner.ts";
import type { Backward, GradientRow, InputGradients } from "../../rule.ts";
import { scatter, tensorScatter } from "./scatter.ts";

/** Each input gets its stretch of the gradient. */
function concat(b: Backward): InputGradients {
  const rank = b.outShape.length;
  const axis = (b.node.int("axis", 0) + rank) % rank;
  let at = 0;
  return b.node.inputs.map((_, index) => {
    const start = at;
    at += b.shapeOf(index)[axis]!;
    return b.wants(index) ? b.slice(b.dy, [axis], [start], [at]) : null;
  });
}

/** y is the sum of images of windows; what a window got from it is what a Conv with one-hot kernels reads. */
function col2Im(b: Backward): InputGradients {
  const { node } = b;
  const block = b.constantNumbers(2)!;
  const rank = block.length;
  const size = block.reduce((product, length) => product * length, 1);
  const channels = b.outShape[1]!;
  const oneHot = Float32Array.from({ length: channels * size * size }, (_, at) =>
    Math.floor(at / size) % size === at % size ? 1 : 0,
  );
  const kernel = b.constant(Tensor.float32([channels * size, 1, ...block], oneHot));
  const attributes = {
    group: channels,
    dilations: [
      ...node.ints(
        "dilations",
        block.map(() => 1),
      ),
    ],
    pads: [...node.ints("pads", Array<number>(2 * rank).fill(0))],
    strides: [
      ...node.ints(
        "strides",
        block.map(() => 1),
      ),
    ],
  };
  return [b.reshape(b.op("Conv", [b.dy, kernel], attributes), b.shapeOf(0))];
}

/** The two values, off and on: where which stood. */
function oneHot(b: Backward): InputGradients {
  const { node, dy } = b;
  if (!b.wants(2)) return [];
  const axis = node.int("axis", -1);
  const ones = b.op("OneHot", [b.input(0), b.input(1), b.constant(Tensor.float32([2], [0, 1]))], { axis });
  const on = b.sum(b.mul(dy, ones));
  const list = (value: Value) => b.reshape(value, [1]);
  return [null, null, b.concat([list(b.sub(b.sum(dy), on)), list(on)], 0)];
}

const counts = { flat: "lengths and places have no gradient" } as const;

export const placement = {
  Col2Im: col2Im,
  Concat: concat,
  NonZero: counts,
  OneHot: oneHot,
  Scatter: { none: "ONNX took the operator out at opset 11; ScatterElements is the same" },
  ScatterElements: scatter,
  ScatterND: scatter,
  Shape: counts,
  Size: counts,
  TensorScatter: tensorScatter,
} satisfies Record<string, GradientRow>;
