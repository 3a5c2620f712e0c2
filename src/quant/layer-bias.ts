/** Where a linear layer's bias is: its own third input, or the constant of the Add behind a MatMul. */
import { initializerOf, onlyReader } from "../facts/index.ts";
import { type Graph, type Node, tensorType, type Value } from "../ir/index.ts";
import { rowOf } from "../ops/index.ts";
import { Tensor } from "../tensor/index.ts";

export interface BiasSlot {
  readonly node: Node;
  readonly index: number;
}

/** The input that holds (or can take) the bias of a layer with so many outputs; null for a MatMul without an Add. */
export function biasSlot(layer: Node, outputs: number): BiasSlot | null {
  if (layer.op !== "MatMul") return { node: layer, index: 2 };
  const [add, ...others] = layer.output.consumers();
  if (add?.op !== "Add" || add.domain !== "" || others.length > 0 || layer.output.isGraphOutput) return null;
  const index = add.input(0) === layer.output ? 1 : 0;
  const size = add.input(index)?.initializer?.shape.at(-1) ?? vectorLength(add.input(index)?.producer ?? null);
  return size === outputs ? { node: add, index } : null;
}

/** A bias that is quantized comes from a DequantizeLinear over a constant. */
function vectorLength(producer: Node | null): number | undefined {
  return producer?.op === "DequantizeLinear" ? producer.input(0)?.initializer?.shape.at(-1) : undefined;
}

/** Gives the slot a bias of its own, in place of whatever it read; a constant of its own is replaced where it is. */
export function setBias(graph: Graph, { node, index }: BiasSlot, bias: Float32Array): void {
  const old = node.input(index);
  const shape = node.op === "Add" && old?.initializer ? old.initializer.shape : [bias.length];
  const tensor = Tensor.float32(shape, bias);
  if (old?.initializer && old.useCount === 1 && !old.isGraphInput) {
    old.initializer = tensor;
    old.type = tensorType("float32", shape);
    return;
  }
  graph.setInput(node, index, graph.addInitializer(`${old?.name ?? `${node.name || node.output.name}_bias`}`, tensor));
}

/** A constant vector that a linear operator adds to its product. */
export interface AddedVector {
  /** [outputs], or [1] for all of them. */
  readonly tensor: Tensor;
  /** It counts so many times beside the bare product of input and weight: Gemm's beta / alpha. */
  readonly factor: number;
}

/**
 * The vector that an operator adds to its product: its bias, or that of the Add that alone reads a MatMul. Other forms (rows that
 * differ, leading axes) have no integer kernel: they are added in float.
 */
export function addedVector(layer: Node): AddedVector | undefined {
  const role = layer.domain === "" ? rowOf(layer)?.linear : undefined;
  if (!role) return undefined;
  let value: Value | null | undefined;
  if (role.bias !== null) value = layer.input(role.bias);
  else {
    const add = onlyReader(layer.output);
    if (add?.op !== "Add" || add.domain !== "") return undefined;
    value = add.inputs.find((one) => one !== layer.output);
  }
  const tensor = initializerOf(value);
  if (tensor?.shape.length !== 1) return undefined;
  const alpha = layer.op === "Gemm" ? layer.float("alpha", 1) : 1;
  const beta = layer.op === "Gemm" ? layer.float("beta", 1) : 1;
  return { tensor, factor: alpha === 0 ? 0 : beta / alpha };
}
