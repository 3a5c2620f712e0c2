/**
 * A linear layer as matrices: Conv 1-3D (grouped, depthwise), ConvTranspose, Gemm and MatMul all compute, for every
 * output position, y = W·x + b with W [outputs, K] per group and x one patch of K inputs.
 */
import type { Model, Node, Value } from "../ir/index.ts";
import { rowOf } from "../ops/index.ts";
import { Tensor } from "../tensor/index.ts";

export interface LinearLayer {
  readonly node: Node;
  /** The constant that holds the weight. */
  readonly weight: Value;
  readonly groups: number;
  /** Output channels of one group. */
  readonly outputs: number;
  /** Inputs that one output sees: input channels of the group times kernel positions. */
  readonly columns: number;
  /** For each element of the matrix [groups · outputs, columns]: its place in the weight tensor. */
  readonly order: Int32Array;
}

/** The linear layers of a model in order; those whose weight is computed, or transposed in ways nobody exports, are not. */
export function linearLayers(model: Model): LinearLayer[] {
  const layers: LinearLayer[] = [];
  for (const node of model.graph.nodes) {
    const layer = linearLayer(node);
    if (layer) layers.push(layer);
  }
  return layers;
}

/** The node as a linear layer, if it is one with a constant float weight. */
export function linearLayer(node: Node): LinearLayer | undefined {
  const role = node.domain === "" ? rowOf(node)?.linear : undefined;
  const weight = role && node.input(role.weight);
  const tensor = weight?.initializer;
  if (!weight || tensor?.dtype !== "float32") return undefined;
  const { shape } = tensor;
  switch (node.op) {
    case "Conv": {
      const groups = node.int("group", 1);
      const columns = tensor.size / shape[0]!;
      return { node, weight, groups, outputs: shape[0]! / groups, columns, order: identity(tensor.size) };
    }
    case "ConvTranspose":
      return transposedLayer(node, weight, shape);
    case "Gemm":
      if (node.int("transA", 0) !== 0 || node.float("alpha", 1) !== 1) return undefined;
      return matrixLayer(node, weight, shape, node.int("transB", 0) === 1);
    case "MatMul":
      return shape.length === 2 ? matrixLayer(node, weight, shape, false) : undefined;
    default:
      return undefined;
  }
}

/** The weight as a matrix [groups · outputs, columns], row-major. */
export function matrixOf(layer: LinearLayer, weight: Tensor): Float32Array {
  const data = weight.floats();
  return Float32Array.from(layer.order, (place) => data[place]!);
}

/** A matrix back in the shape of the weight. */
export function tensorOf(layer: LinearLayer, matrix: ArrayLike<number>): Tensor {
  const data = new Float32Array(matrix.length);
  layer.order.forEach((place, i) => {
    data[place] = matrix[i]!;
  });
  return Tensor.float32(layer.weight.initializer!.shape, data);
}

function identity(size: number): Int32Array {
  return Int32Array.from({ length: size }, (_, i) => i);
}

/** Gemm with transB has [outputs, K] already; otherwise the weight is [K, outputs]. */
function matrixLayer(node: Node, weight: Value, shape: readonly number[], rowsFirst: boolean): LinearLayer {
  const [outputs, columns] = rowsFirst ? [shape[0]!, shape[1]!] : [shape[1]!, shape[0]!];
  const order = identity(outputs * columns);
  if (!rowsFirst) for (let i = 0; i < order.length; i++) order[i] = (i % columns) * outputs + Math.floor(i / columns);
  return { node, weight, groups: 1, outputs, columns, order };
}

/** ConvTranspose: [inputs, outputs / groups, kernel…] becomes, per group, rows of outputs over (input, kernel). */
function transposedLayer(node: Node, weight: Value, shape: readonly number[]): LinearLayer {
  const groups = node.int("group", 1);
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
  return { node, weight, groups, outputs, columns, order };
}
