/** The book that lowering keeps: which value became which, and which nodes stand for a node of the float model. */
import { AvocetError } from "../../base/index.ts";
import type { Model, Node, Value } from "../../ir/index.ts";
import { rowOf } from "../../ops/index.ts";
import type { LinearLayer } from "../linear-layer.ts";
import type { Lowered, LoweredProduct, LoweredValue } from "./lowered.ts";

export class LoweringRecord {
  /** By the name in the float model: the value of the file, whatever it is called there later on. */
  readonly #floats: Map<string, Value>;
  readonly #quantized = new Map<string, Omit<LoweredValue, "float">>();
  /** By the name of what they return. */
  readonly #nodes = new Map<string, readonly Node[]>();

  /** `copy`: of the float model, with its names, before anything is emitted. */
  constructor(copy: Model) {
    this.#floats = copy.graph.valuesByName();
  }

  /** The value has a quantizer. */
  quantizes(value: string, made: Omit<LoweredValue, "float">): void {
    this.#quantized.set(value, made);
  }

  /** The float data of the constant is not in the file any more. */
  drops(value: string): void {
    this.#floats.delete(value);
  }

  /** The nodes compute what one node of the float model returned under this name; the last of them returns it. */
  computes(value: string, nodes: readonly Node[]): void {
    this.#nodes.set(value, nodes);
    this.#floats.set(value, nodes.at(-1)!.output);
  }

  /** The map of the finished file; `model` is the float model that it was made of. */
  finished(model: Model, file: Model): Lowered {
    const ofWeight = new Map<string, LoweredProduct[]>();
    const of = (value: string): LoweredValue | undefined => {
      const [float, made] = [this.#floats.get(value), this.#quantized.get(value)];
      return float || made ? { float, ...made } : undefined;
    };
    const products: LoweredProduct[] = [];
    for (const node of model.graph.nodes) {
      if (!isProduct(node)) continue;
      const weight = constantOperand(node);
      const found = weight && of(weight.name);
      const product: LoweredProduct = {
        nodes: this.#nodes.get(node.output.name) ?? [this.#floats.get(node.output.name)!.producer!],
        weight: found?.quantized ?? found?.float,
      };
      products.push(product);
      if (weight) ofWeight.set(weight.name, [...(ofWeight.get(weight.name) ?? []), product]);
    }
    return { model: file, of, products, layer: (layer) => layerIn(layer, ofWeight) };
  }
}

/** Whether the node is a linear operator of the standard. */
export function isProduct(node: Node): boolean {
  return node.domain === "" && rowOf(node)?.linear !== undefined;
}

/** The constant that a product multiplies with, on whichever side it is. */
export function constantOperand(node: Node): Value | undefined {
  return [node.input(rowOf(node)!.linear!.weight), node.input(0)].find((value) => value?.initializer) ?? undefined;
}

/** Layers are known by their weight; of those that share one, by their order in the graph. */
function layerIn(
  { node, weight }: LinearLayer,
  ofWeight: ReadonlyMap<string, readonly LoweredProduct[]>,
): LoweredProduct & { readonly weight: Value } {
  const products = ofWeight.get(weight.name) ?? [];
  const place = products.length > 1 ? usersOf(weight, node).indexOf(node) : 0;
  const product = products[place];
  if (product?.weight) return { ...product, weight: product.weight };
  throw new AvocetError("graph/not-found", `expected a layer of the model that was lowered, got ${node}`, {
    at: weight.name,
    hint: "a layer of another model is known by the name of its weight",
  });
}

function usersOf(weight: Value, node: Node): Node[] {
  return [...node.graph!.nodes].filter((other) => isProduct(other) && constantOperand(other) === weight);
}
