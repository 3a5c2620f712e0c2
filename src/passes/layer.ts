/**
 * A linear layer with constant weights, and the two edits that folding needs, both exact but for one rounding:
 *
 *   its output   s·(W∗x + b) + t  =  (s·W)∗x + (s·b + t)            s, t per output channel
 *   its input    W∗(s·x + t) + b  =  (W·s)∗x + (b + Σ W·t)          s, t per input channel
 *
 * The second holds where every output sees every weight: not at borders padded with zeros, unless t is zero.
 */

import { type Refused, refuse } from "../base/inner.ts";
import { floatConstant, isOp, onlyReader, rankOf } from "../facts/inner.ts";
import { addNode, type Graph, type Node, type Value } from "../ir/inner.ts";
import { ops } from "../ops/inner.ts";
import { elementsOf, floatTensor, type Tensor } from "../tensor/inner.ts";
import type { ChannelAffine } from "./batch-norm.ts";
import { replaceConstant } from "./replace-constant.ts";
import { replaceNode } from "./replace-node.ts";

export interface Layer {
  /** Conv, ConvTranspose, Gemm or MatMul. */
  readonly node: Node;
  readonly weight: Tensor;
  /** The Add of a MatMul, which holds its bias. */
  readonly add: Node | undefined;
  /** The value that the layer, its bias included, computes. */
  readonly result: Value;
  /** Number of output and input channels (all groups together). */
  readonly outputs: number;
  readonly inputs: number;
}

const group = (node: Node): number => (isOp(node, "Conv", "ConvTranspose") ? node.int("group", 1) : 1);

/** The layer that computes this value; a reason when it is one whose weights cannot be edited. */
export function layerOf(value: Value | null): Layer | Refused | undefined {
  const node = value?.producer;
  if (!node || node.output !== value) return undefined;
  if (isOp(node, "Add")) {
    const index = isOp(node.input(0)?.producer, "MatMul") ? 0 : 1;
    const product = node.input(index)?.producer;
    if (!isOp(product, "MatMul")) return undefined;
    const layer = bareLayer(product);
    if (!layer || "refused" in layer) return undefined;
    const bias = floatConstant(node.input(1 - index));
    if (!bias || !isBiasShape(bias, layer.outputs) || onlyReader(product.output) !== node) return undefined;
    return { ...layer, add: node, result: value };
  }
  return bareLayer(node);
}

/** The layer of this very node, its Add left aside. */
export function bareLayer(node: Node): Layer | Refused | undefined {
  if (!isOp(node, "Conv", "ConvTranspose", "Gemm", "MatMul")) return undefined;
  const { result, ...axes } = { result: node.output, ...axesOf(node) };
  const weight = floatConstant(node.input(1));
  if (!weight) return refuse(`the weight of ${node} is computed, or of a type that is not edited`);
  if (isOp(node, "MatMul") && weight.shape.length !== 2) return refuse(`the weight of ${node} is no matrix`);
  const spatial = isOp(node, "Conv", "ConvTranspose");
  if (spatial && (weight.shape.length < 3 || weight.shape[0]! % group(node) !== 0))
    return refuse(`the weight of ${node} does not fit its groups`);
  if (isOp(node, "Gemm") && weight.shape.length !== 2) return refuse(`the weight of ${node} is no matrix`);
  const c = node.input(2);
  const bias = floatConstant(c);
  if (c && !bias) return refuse(`the bias of ${node} is computed`);
  const perGroup = isOp(node, "ConvTranspose") ? group(node) : 1;
  const outputs = weight.shape.at(axes.output)! * perGroup;
  const inputs = weight.shape.at(axes.input)! * (isOp(node, "Conv") ? group(node) : 1);
  if (bias && !isBiasShape(bias, outputs)) return refuse(`the bias of ${node} differs from row to row`);
  if (isOp(node, "Gemm") && node.float("beta", 1) === 0) return refuse(`${node} has beta = 0`);
  return { node, weight, add: undefined, result, outputs, inputs };
}

function axesOf(node: Node): { output: number; input: number } {
  const role = ops[node.op as "Conv"].linear!;
  return { output: role.channelAxis(node), input: role.inputAxis(node) };
}

/** One number per output channel along the last axis, or one for all. */
function isBiasShape(bias: Tensor, outputs: number): boolean {
  return bias.size === 1 || (bias.size === outputs && bias.shape.at(-1) === outputs);
}

/** For each element of the weight, the output and the input channel (over all groups) that it connects. */
export function channelsOf(layer: Layer): { output(i: number): number; input(i: number): number } {
  const { node, weight } = layer;
  const { shape } = weight;
  const axes = axesOf(node);
  const at = (axis: number) => {
    const index = axis < 0 ? axis + shape.length : axis;
    const stride = shape.slice(index + 1).reduce((a, b) => a * b, 1);
    const length = shape[index]!;
    return (i: number) => Math.floor(i / stride) % length;
  };
  const output = at(axes.output);
  const input = at(axes.input);
  const groups = group(node);
  if (isOp(node, "Conv")) {
    const perGroup = shape[0]! / groups;
    return { output, input: (i) => Math.floor(output(i) / perGroup) * shape[1]! + input(i) };
  }
  if (isOp(node, "ConvTranspose")) {
    const perGroup = shape[0]! / groups;
    return { input, output: (i) => Math.floor(input(i) / perGroup) * shape[1]! + output(i) };
  }
  return { output, input };
}

/** The bias per output channel; zeros where there is none. */
export function biasOf({ node, add, outputs }: Layer): number[] {
  const tensor = add
    ? (floatConstant(add.input(0)) ?? floatConstant(add.input(1)))
    : isOp(node, "MatMul")
      ? undefined
      : floatConstant(node.input(2));
  const values = tensor ? elementsOf(tensor) : [0];
  return Array.from({ length: outputs }, (_, c) => values[values.length === 1 ? 0 : c]!);
}

/** s·y + t on the layer's output. Returns the value that now is the result (a MatMul may have got an Add, or be a Gemm). */
export function scaleOutput(layer: Layer, affine: ChannelAffine): Value {
  const { scale, shift } = affine;
  const { output } = channelsOf(layer);
  const bias = biasOf(layer);
  const old = elementsOf(layer.weight);
  const weight = floatTensor(layer.weight.dtype, layer.weight.shape, (i) => old[i]! * scale[output(i)]!);
  return store(
    layer,
    weight,
    bias.map((b, c) => b * scale[c]! + shift[c]! / gemmBeta(layer.node)),
  );
}

/** The layer reads x where it read s·x + t. Returns the value that now is the result. */
export function scaleInput(layer: Layer, affine: ChannelAffine): Value {
  const { scale, shift } = affine;
  const { output, input } = channelsOf(layer);
  const bias = biasOf(layer);
  const old = elementsOf(layer.weight);
  // Gemm computes alpha·A·B + beta·C: what moves from the product to C is multiplied by alpha / beta.
  const factor = (isOp(layer.node, "Gemm") ? layer.node.float("alpha", 1) : 1) / gemmBeta(layer.node);
  for (let i = 0; i < old.length; i++) bias[output(i)]! += old[i]! * shift[input(i)]! * factor;
  const weight = floatTensor(layer.weight.dtype, layer.weight.shape, (i) => old[i]! * scale[input(i)]!);
  return store(layer, weight, bias);
}

const gemmBeta = (node: Node): number => (isOp(node, "Gemm") ? node.float("beta", 1) : 1);

function store(layer: Layer, weight: Tensor, bias: readonly number[]): Value {
  const { node, add } = layer;
  const graph = node.graph!;
  replaceConstant(graph, node, 1, weight, `${node.name || node.output.name}.weight`);
  const tensor = floatTensor(weight.dtype, [bias.length], (c) => bias[c]!);
  const hint = `${node.name || node.output.name}.bias`;
  if (add) {
    replaceConstant(graph, add, floatConstant(add.input(0)) ? 0 : 1, tensor, hint);
    return add.output;
  }
  const hasBias = node.input(2) !== null;
  if (!hasBias && bias.every((b) => b === 0)) return node.output;
  if (!isOp(node, "MatMul")) {
    replaceConstant(graph, node, 2, tensor, hint);
    return node.output;
  }
  return biasToMatMul(graph, node, graph.addInitializer(hint, tensor));
}

/** A MatMul of matrices becomes a Gemm, any other gets an Add; its readers follow. */
function biasToMatMul(graph: Graph, node: Node, bias: Value): Value {
  const old = node.output;
  const { name } = old;
  if (rankOf(node.input(0)) === 2) {
    return replaceNode(node, { op: "Gemm", inputs: [node.input(0), node.input(1), bias] }).output;
  }
  const add = addNode(graph, "Add", [old, bias], {}, { output: `${name}_bias`, place: { after: node } });
  add.output.type = old.type;
  graph.replaceUses(old, add.output, (use) => !("node" in use && use.node === add));
  return add.output;
}
