/** Convolutions, pooling and matrix products. */

import { convolution, transposedConvolution } from "../../channels-last/convolution.ts";
import { elementwise, unary } from "../../channels-last/elementwise.ts";
import { dense, matMul } from "../../channels-last/matrix.ts";
import { pooling } from "../../channels-last/pooling.ts";
import { reshape } from "../../channels-last/reshape.ts";
import { countOf, type Order, type Term } from "../../channels-last/term.ts";
import type { Padding } from "../../channels-last/windows.ts";
import type { Call, Row } from "../call.ts";

const padding = (c: Call, kind: number): Padding => {
  if (kind === 0) return "SAME";
  if (kind === 1) return "VALID";
  throw c.e.broken(`expected padding 0 or 1, got ${kind}`);
};

const orOne = (...values: readonly number[]): number[] => values.map((value) => value || 1);

/** A filter as the term that convolutions read: `stored` is ONNX's order of the file's axes, `shape` the lengths in [k…, in, out]. */
function filter(c: Call, input: number, stored: Order, shape: readonly number[]): Term {
  const rank = shape.length;
  const order = [rank - 1, rank - 2, ...Array.from({ length: rank - 2 }, (_, i) => i)];
  return { dtype: "float32", shape, order, value: c.weight(input, stored) };
}

interface Window2d {
  readonly padding: number;
  readonly strideH: number;
  readonly strideW: number;
  readonly dilationH: number;
  readonly dilationW: number;
  readonly activation: number;
}

/** A convolution over two axes with its bias and its activation. */
function convolved(c: Call, o: Window2d, weights: Term) {
  const window = {
    padding: padding(c, o.padding),
    strides: orOne(o.strideH, o.strideW),
    dilations: orOne(o.dilationH, o.dilationW),
  };
  return c.activated(convolution(c.e, c.x(0), weights, window, c.optional(2)), o.activation);
}

/** What a convolution that knows its input's channels is given: [k…, in, out] of weights [out, k…, in]. */
const conv2d: Row = (c) => {
  const o = c.options({
    padding: "i8",
    strideW: "i32",
    strideH: "i32",
    activation: "i8",
    dilationW: "i32",
    dilationH: "i32",
  });
  const [out, height, width, depth] = c.lengths(1, 4) as [number, number, number, number];
  return convolved(c, o, filter(c, 1, [0, 3, 1, 2], [height, width, depth, out]));
};

/** Weights are [1, kh, kw, in · multiplier]: a convolution in as many groups as there are input channels. */
const depthwise: Row = (c) => {
  const o = c.options({
    padding: "i8",
    strideW: "i32",
    strideH: "i32",
    multiplier: "i32",
    activation: "i8",
    dilationW: "i32",
    dilationH: "i32",
  });
  const [one, height, width, out] = c.lengths(1, 4) as [number, number, number, number];
  if (one !== 1) throw c.e.broken(`expected depthwise weights that begin with 1, got ${one}`);
  return convolved(c, o, filter(c, 1, [3, 0, 1, 2], [height, width, 1, out]));
};

const conv3d: Row = (c) => {
  const o = c.options({
    padding: "i8",
    strideD: "i32",
    strideW: "i32",
    strideH: "i32",
    activation: "i8",
    dilationD: "i32",
    dilationW: "i32",
    dilationH: "i32",
  });
  const window = {
    padding: padding(c, o.padding),
    strides: orOne(o.strideD, o.strideH, o.strideW),
    dilations: orOne(o.dilationD, o.dilationH, o.dilationW),
  };
  const weights = filter(c, 1, [4, 3, 0, 1, 2], c.lengths(1, 5));
  return c.activated(convolution(c.e, c.x(0), weights, window, c.optional(2)), o.activation);
};

/** Inputs are the lengths of the result, weights [out, k…, in], what is enlarged, and a bias. */
const transposeConv: Row = (c) => {
  const o = c.options({ padding: "i8", strideW: "i32", strideH: "i32", activation: "i8" });
  const [out, height, width, depth] = c.lengths(1, 4) as [number, number, number, number];
  const sizes = c.numbers(0, "the size of a transposed convolution");
  const weights = filter(c, 1, [3, 0, 1, 2], [height, width, out, depth]);
  const window = { padding: padding(c, o.padding), strides: orOne(o.strideH, o.strideW) };
  return c.activated(
    transposedConvolution(c.e, c.x(2), weights, window, sizes.slice(1, 3), c.optional(3)),
    o.activation,
  );
};

const conv3dTranspose: Row = (c) => {
  const o = c.options({ padding: "i8", strideD: "i32", strideW: "i32", strideH: "i32", activation: "i8" });
  const sizes = c.numbers(0, "the size of a transposed convolution");
  const weights = filter(c, 1, [4, 3, 0, 1, 2], c.lengths(1, 5));
  const window = { padding: padding(c, o.padding), strides: orOne(o.strideD, o.strideH, o.strideW) };
  return c.activated(
    transposedConvolution(c.e, c.x(2), weights, window, sizes.slice(1, 4), c.optional(3)),
    o.activation,
  );
};

const pool =
  (kind: "MaxPool" | "AveragePool" | "L2"): Row =>
  (c) => {
    const o = c.options({
      padding: "i8",
      strideW: "i32",
      strideH: "i32",
      width: "i32",
      height: "i32",
      activation: "i8",
    });
    const window = {
      padding: padding(c, o.padding),
      strides: orOne(o.strideH, o.strideW),
      kernel: [o.height, o.width],
    };
    if (kind !== "L2") return c.activated(pooling(c.e, kind, c.x(), window), o.activation);
    const squares = elementwise(c.e, "Mul", [c.x(), c.x()]);
    return c.activated(unary(c.e, "Sqrt", pooling(c.e, "AveragePool", squares, window)), o.activation);
  };

const fullyConnected: Row = (c) => {
  const o = c.options({ activation: "i8", format: "i8", keepsAxes: "bool" });
  if (o.format !== 0) throw c.e.fail(`expected plain weights, got the packed format ${o.format}`);
  const weights = c.tensor(1);
  const [rows, columns] = weights.bytes ? (c.lengths(1, 2) as [number, number]) : [c.x(1).shape[0]!, c.x(1).shape[1]!];
  const weight: Term = { dtype: "float32", shape: [rows, columns], order: [1, 0], value: c.weight(1, [1, 0]) };
  const x = c.x(0);
  // Without the option all axes but the last are one, whatever the rank is.
  const flat = x.shape.length === 2 || o.keepsAxes ? x : reshape(c.e, x, [leading(x, columns), columns]);
  return c.activated(dense(c.e, flat, weight, c.optional(2), true), o.activation);
};

/** How many rows of this many columns: known, or −1. */
function leading(x: Term, columns: number | string | null): number {
  const count = countOf(x.shape);
  return count !== undefined && typeof columns === "number" ? count / columns : -1;
}

export const linearRows = {
  CONV_2D: conv2d,
  DEPTHWISE_CONV_2D: depthwise,
  TRANSPOSE_CONV: transposeConv,
  CONV_3D: conv3d,
  CONV_3D_TRANSPOSE: conv3dTranspose,
  MAX_POOL_2D: pool("MaxPool"),
  AVERAGE_POOL_2D: pool("AveragePool"),
  L2_POOL_2D: pool("L2"),
  FULLY_CONNECTED: fullyConnected,
  BATCH_MATMUL: (c) => {
    const { adjointA, adjointB } = c.options({ adjointA: "bool", adjointB: "bool" });
    return matMul(c.e, c.x(0), c.x(1), adjointA, adjointB);
  },
} satisfies Record<string, Row>;
