/**
 * The one reading of a linear layer: which constant is its weight, where its bias is, which value it computes, which axes of the weight
 * are outputs and inputs. Readers differ in what they can work with (element types, weights that may be fed, other domains); that
 * is asked of the layer, so that everybody sees the same layers.
 */
import { isRefused, type Refused, refuse } from "../../base/inner.ts";
import type { Graph, Node, Value } from "../../ir/inner.ts";
import { type LinearRole, rowOf } from "../../ops/inner.ts";
import { isFloat, type Tensor } from "../../tensor/inner.ts";
import { defaultOf, initializerOf } from "../constants.ts";
import { isOp } from "../walk.ts";
import { type BiasSlot, biasSlot } from "./bias.ts";
import { type MatrixView, matrixView } from "./matrix.ts";

export interface WeightSlot {
  /** The value that holds it, as the graph is now. */
  readonly value: Value;
  /** The input of the node that reads it. */
  readonly index: number;
  /** The data as it is now, of any float type. */
  readonly tensor: Tensor;
}

/** Axes of the weight, counted from the front. */
export interface LayerAxes {
  readonly out: number;
  /** What is summed over: the input channels first, then the kernel. */
  readonly in: readonly number[];
  /** The first axis runs over groups, too: of outputs for a Conv, of inputs for a ConvTranspose. */
  readonly groups: number;
  /** Number of output and of input channels, all groups together. */
  readonly outputs: number;
  readonly inputs: number;
}

export interface Layer {
  /** Conv, ConvTranspose, Gemm, MatMul, or one of com.microsoft that stands for them. */
  readonly node: Node;
  /** All products that share the weight, this one included, in the order of the graph. */
  readonly uses: readonly Node[];
  readonly weight: WeightSlot;
  readonly bias: BiasSlot | Refused;
  /** The value that the layer, its bias included, computes. */
  readonly result: Value;
  /** Refused for a weight whose shape does not fit the operator. */
  readonly axes: LayerAxes | Refused;
  /** Refused where the layer is no product with matrices of this weight alone. */
  readonly matrix: MatrixView | Refused;
}

/** A layer that is known to be products with matrices. */
export interface MatrixLayer extends Layer {
  readonly axes: LayerAxes;
  readonly matrix: MatrixView;
}

/** The layers of a graph, in its order. Layers that share a weight are several, and know each other by `uses`. */
export function layersOf(graph: Graph): Layer[] {
  return [...graph.nodes].flatMap((node) => {
    const layer = layerAt(node);
    return layer && !isRefused(layer) ? [layer] : [];
  });
}

/**
 * The layers of a graph whose products of float32 the moment methods can judge, in its order: weights of other types, batches of
 * matrices and scaled products are left out.
 */
export function matrixLayers(graph: Graph): MatrixLayer[] {
  return [...graph.nodes].flatMap((node) => matrixLayerAt(node) ?? []);
}

/** The node as such a layer, if it is one. Its weight is an initializer; what may be fed in its place is not asked for. */
export function matrixLayerAt(node: Node): MatrixLayer | undefined {
  const layer = layerAt(node);
  if (!layer || isRefused(layer) || layer.weight.value.initializer?.dtype !== "float32") return undefined;
  return isRefused(layer.matrix) || isRefused(layer.axes) ? undefined : (layer as MatrixLayer);
}

/** The layer of this node, with the Add that holds its bias; undefined for other operators, a reason without a weight. */
export function layerAt(node: Node): Layer | Refused | undefined {
  return read(node, true);
}

/** The layer of this very node, an Add behind it left aside. */
export function productAt(node: Node): Layer | Refused | undefined {
  return read(node, false);
}

/** The layer that computes this value, whether a product returns it or the Add behind one. */
export function layerOf(value: Value | null | undefined): Layer | Refused | undefined {
  const node = value?.producer;
  if (!node || node.output !== value) return undefined;
  if (!isOp(node, "Add")) return productAt(node);
  const product = node.inputs.find((input) => isOp(input?.producer, "MatMul"))?.producer;
  const layer = product ? layerAt(product) : undefined;
  return layer && !isRefused(layer) && layer.result === value ? layer : undefined;
}

/** Whether the weight is stored in the graph, as an initializer that nobody can feed. */
export function isStored({ weight }: Layer): boolean {
  return initializerOf(weight.value) !== undefined;
}

/** What a linear operator reads in the place of its weight, constant or computed; undefined for other operators. */
export function weightOperand(node: Node): Value | undefined {
  const role = rowOf(node)?.linear;
  return (role && node.input(role.weight)) ?? undefined;
}

function read(node: Node, withAdd: boolean): Layer | Refused | undefined {
  const role = rowOf(node)?.linear;
  if (!role) return undefined;
  const value = node.input(role.weight);
  const data = defaultOf(value);
  if (!value || !data) return refuse(`the weight of ${node} is computed`);
  if (!isFloat(data.dtype)) return refuse(`the weight of ${node} holds no floats`);
  const axes = axesOf(node, role, data.shape);
  const known = !isRefused(axes);
  const bias = !withAdd && role.bias === null ? refuse("the Add behind it is left aside") : biasIn(node, axes);
  let matrix: MatrixView | Refused | undefined;
  return {
    node,
    weight: {
      index: role.weight,
      get value() {
        return node.input(role.weight)!;
      },
      get tensor() {
        return defaultOf(node.input(role.weight))!;
      },
    },
    bias,
    result: !isRefused(bias) && bias.node !== node ? bias.node.output : node.output,
    axes,
    get uses() {
      return usesOf(node.input(role.weight)!, node.graph!);
    },
    get matrix() {
      matrix ??= known ? matrixView(node, data.shape) : axes;
      return matrix;
    },
  };
}

function biasIn(node: Node, axes: LayerAxes | Refused): BiasSlot | Refused {
  return isRefused(axes) ? axes : biasSlot(node, axes.outputs);
}

/** The linear operators that read a value as their weight. */
function usesOf(weight: Value, graph: Graph): readonly Node[] {
  const readers = weight.consumers().filter((node) => weightOperand(node) === weight);
  if (readers.length < 2) return readers;
  const order = new Map([...graph.nodes].map((node, i) => [node, i]));
  return readers.sort((a, b) => (order.get(a) ?? -1) - (order.get(b) ?? -1));
}

/** The axes of a weight of this shape, wherever it comes from: in a quantized model from a DequantizeLinear. */
export function weightAxes(node: Node, shape: readonly number[]): LayerAxes | Refused {
  const role = rowOf(node)?.linear;
  return role ? axesOf(node, role, shape) : refuse(`${node} is no linear operator`);
}

function axesOf(node: Node, role: LinearRole, shape: readonly number[]): LayerAxes | Refused {
  const rank = shape.length;
  const [channel, input] = [role.channelAxis(node), role.inputAxis(node)];
  // Kernels count their axes from the front, matrices from the back: what is before them are several matrices.
  const isKernel = channel >= 0 && node.op.includes("Conv");
  const groups = isKernel ? node.int("group", 1) : 1;
  if (isKernel && (rank < 3 || shape[0]! % groups !== 0))
    return refuse(`the weight of ${node} does not fit its groups`);
  if (rank < 2 || (channel >= 0 && !isKernel && rank !== 2)) return refuse(`the weight of ${node} is no matrix`);
  const [out, first] = [channel < 0 ? channel + rank : channel, input < 0 ? input + rank : input];
  return {
    out,
    in: [first, ...(isKernel ? shape.slice(2).map((_, i) => i + 2) : [])],
    groups,
    outputs: shape[out]! * (out === 0 ? 1 : groups),
    inputs: shape[first]! * (first === 0 ? 1 : groups),
  };
}
