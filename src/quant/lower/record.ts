/** The book that lowering keeps: which value became which, and which nodes stand for a node of the float model. */

import { invariant } from "../../base/inner.ts";
import { isRecurrent, type Layer } from "../../facts/inner.ts";
import type { Model, Node, Value } from "../../ir/inner.ts";
import type { Lowered, LoweredProduct, LoweredValue } from "./lowered.ts";
import { constantOperand, isProduct, ofSameLayer } from "./same-layer.ts";

export class LoweringRecord {
  /** By the name in the float model: the value of the file, whatever it is called there later on. */
  readonly #floats: Map<string, Value>;
  readonly #names: Map<Value, string>;
  readonly #quantized = new Map<string, Omit<LoweredValue, "float">>();
  /** By the name of what they return. */
  readonly #nodes = new Map<string, readonly Node[]>();

  /** `copy`: of the float model, with its names, before anything is emitted. */
  constructor(copy: Model) {
    this.#floats = copy.graph.valuesByName();
    this.#names = new Map([...this.#floats].map(([name, value]) => [value, name]));
  }

  /** The value of the file that has this name in the float model. */
  float(value: string): Value | undefined {
    return this.#floats.get(value);
  }

  /** The value has a quantizer. */
  quantizes(value: string, made: Omit<LoweredValue, "float">): void {
    this.#quantized.set(value, made);
  }

  /** What was dequantized is read as integers alone. */
  readsIntegers(dequantized: Value): void {
    for (const [name, made] of this.#quantized) {
      if (made.dequantized === dequantized) this.#quantized.set(name, { quantized: made.quantized });
    }
  }

  /** A float constant became one in half precision; its float data may stay for other readers. */
  narrows(old: Value, half: Value): void {
    const name = this.#names.get(old);
    if (name !== undefined && !this.#quantized.has(name)) this.#quantized.set(name, { quantized: half });
    if (name !== undefined && !old.initializer) this.#floats.delete(name);
  }

  /** The float data of the constant is not in the file any more. */
  drops(value: string): void {
    this.#floats.delete(value);
  }

  /** The value is computed among integers, and not in float any more. */
  dropsFloat(value: Value): void {
    const name = this.#names.get(value);
    if (name !== undefined) this.#floats.delete(name);
  }

  /** The nodes compute what a node of the copy did, whose output was `old`; the last of them returns it as `output`. */
  computes(old: Value, output: Value, nodes: readonly Node[]): void {
    const name = this.#names.get(old);
    invariant(name !== undefined, `${old.name} is a value of the float model`);
    this.#nodes.set(name, nodes);
    this.#floats.set(name, output);
    this.#names.set(output, name);
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
      if (!isProduct(node) && !isRecurrent(node)) continue;
      const weight = constantOperand(node);
      const found = weight && of(weight.name);
      const { name } = node.outputs.find((output) => output.name !== "")!;
      const product: LoweredProduct = {
        nodes: this.#nodes.get(name) ?? [this.#floats.get(name)!.producer!],
        weight: found?.quantized ?? found?.float,
      };
      products.push(product);
      if (weight) ofWeight.set(weight.name, [...(ofWeight.get(weight.name) ?? []), product]);
    }
    const layer = (wanted: Layer) => {
      const { nodes, weight } = ofSameLayer(wanted, ofWeight);
      invariant(weight, `the weight of ${wanted.node} is in the file`);
      return { nodes, weight };
    };
    return { model: file, of, products, layer };
  }
}
