/**
 * A weight as matrices: Conv 1-3D (grouped, depthwise), ConvTranspose, Gemm and MatMul all compute, for every output
 * position, y = W·x + b with W [outputs, columns] per group and x one patch of so many inputs.
 */
import { type Refused, refuse } from "../../base/inner.ts";
import type { Node } from "../../ir/inner.ts";
import { elementsOf, floatTensor, type Tensor } from "../../tensor/inner.ts";
import { isOp } from "../walk.ts";

/** Where the elements of the matrices lie in the tensor. */
export interface MatrixView {
  readonly groups: number;
  /** Output channels of one group. */
  readonly outputs: number;
  /** Inputs that one output sees: input channels of the group times kernel positions. */
  readonly columns: number;
  /** For each element of the matrix [groups · outputs, columns], row-major: its position in the weight tensor. */
  readonly order: Int32Array;
}

/** The matrices of a linear operator of the standard whose weight has this shape, or why it is none. */
export function matrixView(node: Node, shape: readonly number[]): MatrixView | Refused {
  if (isOp(node, "Conv")) {
    const [groups, outputs] = [node.int("group", 1), shape[0]!];
    const size = shape.reduce((a, b) => a * b, 1);
    return { groups, outputs: outputs / groups, columns: size / outputs, order: identity(size) };
  }
  if (isOp(node, "ConvTranspose")) return transposedView(node.int("group", 1), shape);
  if (isOp(node, "Gemm")) {
    if (node.int("transA", 0) !== 0) return refuse("it transposes its input");
    if (node.float("alpha", 1) !== 1) return refuse("its alpha multiplies the product");
    return plainView(shape, node.int("transB", 0) === 1);
  }
  if (!isOp(node, "MatMul")) return refuse(`a ${node.opName} does more than multiply`);
  return shape.length === 2 ? plainView(shape, false) : refuse("its weight is no matrix");
}

/** The elements as a matrix [groups · outputs, columns], row-major. */
export function matrixOf({ order }: MatrixView, weight: Tensor): Float32Array {
  const data = elementsOf(weight);
  const matrix = new Float32Array(order.length);
  for (let i = 0; i < order.length; i++) matrix[i] = data[order[i]!]!;
  return matrix;
}

/** A matrix back in the shape and type of a weight. */
export function weightOf({ order }: MatrixView, { dtype, shape }: Tensor, matrix: ArrayLike<number>): Tensor {
  const data = new Float64Array(matrix.length);
  order.forEach((position, i) => {
    data[position] = matrix[i]!;
  });
  return floatTensor(dtype, shape, (i) => data[i]!);
}

function identity(size: number): Int32Array {
  // A loop: for the millions of elements of a large weight, a call each takes seconds.
  const order = new Int32Array(size);
  for (let i = 0; i < size; i++) order[i] = i;
  return order;
}

/** Gemm with transB has [outputs, columns] already; otherwise the weight is [columns, outputs]. */
function plainView(shape: readonly number[], rowsFirst: boolean): MatrixView {
  const [outputs, columns] = rowsFirst ? [shape[0]!, shape[1]!] : [shape[1]!, shape[0]!];
  const order = identity(outputs * columns);
  if (!rowsFirst) for (let i = 0; i < order.length; i++) order[i] = (i % columns) * outputs + Math.floor(i / columns);
  return { groups: 1, outputs, columns, order };
}

/** ConvTranspose: [inputs, outputs / groups, kernel…] becomes, per group, rows of outputs over (input, kernel). */
function transposedView(groups: number, shape: readonly number[]): MatrixView {
  const [inputs, outputs] = [shape[0]! / groups, shape[1]!];
  const kernel = shape.slice(2).reduce((a, b) => a * b, 1);
  const columns = inputs * kernel;
  const order = identity(groups * outputs * columns);
  for (let i = 0; i < order.length; i++) {
    const column = i % columns;
    const row = Math.floor(i / columns);
    const input = Math.floor(row / outputs) * inputs + Math.floor(column / kernel);
    order[i] = (input * outputs + (row % outputs)) * kernel + (column % kernel);
  }
  return { groups, outputs, columns, order };
}
