/** Where the bias of a layer goes, in one model: its own input, the Add behind it, or an Add that it gets. */
import { floatConstant } from "../../facts/index.ts";
import { addNode, type Graph, type Node, type Value } from "../../ir/index.ts";
import { batchNormStatistics, setBatchNormStatistics } from "../../passes/index.ts";
import { type BiasSlot, biasSlot, setBias } from "../../quant/index.ts";
import { Tensor } from "../../tensor/index.ts";

export interface BiasPlace {
  /** The Conv, ConvTranspose, Gemm or MatMul. */
  readonly layer: Node;
  /** null: a MatMul that has no bias yet. */
  readonly slot: BiasSlot | null;
}

/** The place of a layer with so many outputs. */
export function biasPlace(layer: Node, outputs: number): BiasPlace {
  return { layer, slot: biasSlot(layer, outputs) };
}

/** The bias as it is, one number per output; zeros where there is none, a reason where it cannot be read or moved. */
export function currentBias({ layer, slot }: BiasPlace, outputs: number): Float64Array | string {
  if (layer.op === "Gemm" && layer.float("beta", 1) === 0) return "its beta is 0: a bias would have no effect";
  const value = slot?.node.input(slot.index);
  if (!value) return new Float64Array(outputs);
  const tensor = floatConstant(value);
  if (!tensor) return "its bias is computed";
  if (tensor.size === 1) return new Float64Array(outputs).fill(tensor.numbers()[0]!);
  if (tensor.size !== outputs || tensor.shape.at(-1) !== outputs) return "its bias differs from row to row";
  return Float64Array.from(tensor.numbers());
}

/** What the place must hold so that the layer's outputs move by `shift`: a Gemm multiplies its bias by beta. */
export function movedBias({ layer }: BiasPlace, bias: Float64Array, shift: Float64Array): Float64Array {
  const beta = layer.op === "Gemm" ? layer.float("beta", 1) : 1;
  return bias.map((b, c) => b + shift[c]! / beta);
}

/** Puts a bias in its place. Returns the value that holds it. */
export function putBias(graph: Graph, { layer, slot }: BiasPlace, bias: Float64Array): Value {
  if (slot) {
    setBias(graph, slot, Float32Array.from(bias));
    return slot.node.input(slot.index)!;
  }
  return addBias(graph, layer, bias);
}

/** The Add takes over the name of the product: a plan names values, and what the readers see is quantized. */
function addBias(graph: Graph, layer: Node, bias: Float64Array): Value {
  const product = layer.output;
  const { name, type } = product;
  const statistics = batchNormStatistics(product);
  const constant = graph.addInitializer(
    `${layer.name || name}_bias`,
    Tensor.float32([bias.length], Float32Array.from(bias)),
  );
  const add = addNode(graph, "Add", [product, constant], {}, { output: name, place: { after: layer } });
  add.output.type = type;
  graph.replaceUses(product, add.output, (use) => !("node" in use && use.node === add));
  if (add.output.name !== name) {
    graph.renameLike(product, `${name}_product`);
    graph.rename(add.output, name);
  }
  if (statistics) setBatchNormStatistics(add.output, statistics);
  return constant;
}
