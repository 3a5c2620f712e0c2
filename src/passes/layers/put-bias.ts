/** Gives a linear layer another bias: in the input that holds it, or in an Add that it gets. */
import { isRefused, type Refused } from "../../base/inner.ts";
import { type BiasSlot, betaOf } from "../../facts/inner.ts";
import { addNode, type Graph, type Node, tensorType, type Value } from "../../ir/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { batchNormStatistics, setBatchNormStatistics } from "../batch-norm.ts";

/** What the slot of a layer must hold so that its outputs move by `shift`: a Gemm multiplies its bias by beta. */
export function shiftedBias(product: Node, bias: Float64Array, shift: Float64Array): Float64Array {
  const beta = betaOf(product);
  return bias.map((b, c) => b + shift[c]! / beta);
}

/** Puts a bias of float32 into the slot, or behind a product that has none. Returns the value that holds it. */
export function putBias(product: Node, slot: BiasSlot | Refused, bias: Float64Array): Value {
  const graph = product.graph!;
  return isRefused(slot) ? addBias(graph, product, bias) : fillSlot(graph, product, slot, Float32Array.from(bias));
}

/** The slot gets a bias of its own, in place of whatever it read; a constant of its own is replaced where it is. */
function fillSlot(graph: Graph, product: Node, { node, index }: BiasSlot, bias: Float32Array): Value {
  const old = node.input(index);
  const shape = node !== product && old?.initializer ? old.initializer.shape : [bias.length];
  const tensor = Tensor.float32(shape, bias);
  if (old?.initializer && old.useCount === 1 && !old.isGraphInput) {
    old.initializer = tensor;
    old.type = tensorType("float32", shape);
    return old;
  }
  const made = graph.addInitializer(`${old?.name ?? `${node.name || node.output.name}_bias`}`, tensor);
  graph.setInput(node, index, made);
  return made;
}

/** The Add takes over the name of the product: a plan names values, and what the readers see is quantized. */
function addBias(graph: Graph, product: Node, bias: Float64Array): Value {
  const value = product.output;
  const { name, type } = value;
  const statistics = batchNormStatistics(value);
  const constant = graph.addInitializer(
    `${product.name || name}_bias`,
    Tensor.float32([bias.length], Float32Array.from(bias)),
  );
  const add = addNode(graph, "Add", [value, constant], {}, { output: name, place: { after: product } });
  add.output.type = type;
  graph.replaceUses(value, add.output, (use) => !("node" in use && use.node === add));
  if (add.output.name !== name) {
    graph.renameLike(value, `${name}_product`);
    graph.rename(add.output, name);
  }
  if (statistics) setBatchNormStatistics(add.output, statistics);
  return constant;
}
