/** The graph of a decoder as it grows: nodes are named after what they compute, constants are shared. */
import { type AttributeLike, addNode, Graph, tensorType, type Value } from "../../ir/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import type { DecoderConfig } from "./config.ts";
import { rotaryFrequencies } from "./rotary.ts";
import type { DecoderWeights } from "./weights.ts";

export class DecoderGraph {
  readonly graph = new Graph("decoder");
  readonly config: DecoderConfig;
  readonly weights: DecoderWeights;
  readonly #constants = new Map<string, Value>();
  /** How many nodes have a name already: runtimes want each once. */
  readonly #names = new Map<string, number>();

  constructor(config: DecoderConfig, weights: DecoderWeights) {
    this.config = config;
    this.weights = weights;
  }

  add(
    op: string,
    inputs: readonly (Value | null)[],
    name: string,
    attributes: Readonly<Record<string, AttributeLike>> = {},
  ): Value {
    const path = `/${name}/${op}`;
    const count = (this.#names.get(path) ?? 0) + 1;
    this.#names.set(path, count);
    const unique = count === 1 ? path : `${path}_${count}`;
    return addNode(this.graph, op, inputs, attributes, { name: unique, output: `${unique}_output` }).output;
  }

  ints(...values: number[]): Value {
    return this.#constant(`ints.${values.join("_")}`, () => Tensor.int64([values.length], values));
  }

  int(value: number): Value {
    return this.#constant(`int.${value}`, () => Tensor.int64([], [value]));
  }

  float(value: number): Value {
    return this.#constant(`float.${value}`, () => Tensor.float32([], [value]));
  }

  /** x · W, and the bias where the file has one. */
  product(x: Value, name: string, inputs: number, outputs: number): Value {
    const weight = this.graph.addInitializer(`${name}.weight`, this.weights.product(`${name}.weight`, inputs, outputs));
    const product = this.add("MatMul", [x, weight], name);
    if (!this.weights.has(`${name}.bias`)) return product;
    const bias = this.graph.addInitializer(`${name}.bias`, this.weights.plain(`${name}.bias`, [outputs]));
    return this.add("Add", [product, bias], name);
  }

  /** x / √(mean(x²) + ε) · γ over the last axis, in the spelling that ONNX Runtime fuses. */
  norm(x: Value, name: string, length = this.config.hidden): Value {
    const weight = this.graph.addInitializer(`${name}.weight`, this.weights.plain(`${name}.weight`, [length]));
    const mean = this.add("ReduceMean", [this.add("Pow", [x, this.float(2)], name), this.ints(-1)], name);
    const deviation = this.add("Sqrt", [this.add("Add", [mean, this.float(this.config.epsilon)], name)], name);
    return this.add("Mul", [this.add("Div", [x, deviation], name), weight], name);
  }

  /** Cosine and sine of each position and frequency, [batch, sequence, 1, head size]. */
  rotation(positions: Value): Rotation {
    const { headSize, theta, scaling } = this.config;
    const name = "model.rotary_emb";
    const frequencies = Tensor.float32([headSize / 2], rotaryFrequencies(headSize, theta, scaling));
    const numbers = this.add("Cast", [positions], name, { to: 1 });
    const columns = this.add("Unsqueeze", [numbers, this.ints(2, 3)], name);
    const angles = this.add("Mul", [columns, this.graph.addInitializer(`${name}.inv_freq`, frequencies)], name);
    const both = this.add("Concat", [angles, angles], name, { axis: -1 });
    const factor = scaling.kind === "yarn" ? scaling.attention : 1;
    const part = (op: "Cos" | "Sin") => {
      const made = this.add(op, [both], name);
      return factor === 1 ? made : this.add("Mul", [made, this.float(factor)], name);
    };
    return { cosine: part("Cos"), sine: part("Sin") };
  }

  /** 0 where a token may look, the lowest float elsewhere: [batch, 1, sequence, total]. `window` counts the positions up to its own. */
  maskBias(ids: Value, mask: Value, window?: number): Value {
    const name = "model.attention_mask";
    const lengthOf = (value: Value) =>
      this.add("Gather", [this.add("Shape", [value], name), this.int(1)], name, { axis: 0 });
    const total = lengthOf(mask);
    const past = this.add("Sub", [total, lengthOf(ids)], name);
    const keys = this.add("Range", [this.int(0), total, this.int(1)], name);
    const queries = this.add("Unsqueeze", [this.add("Range", [past, total, this.int(1)], name), this.ints(1)], name);
    const causal = this.add("LessOrEqual", [keys, queries], name);
    const given = this.add("Unsqueeze", [this.add("Cast", [mask], name, { to: 9 }), this.ints(1, 2)], name);
    const isNear = window && this.add("Greater", [keys, this.add("Sub", [queries, this.int(window)], name)], name);
    const seen = isNear ? this.add("And", [causal, isNear], name) : causal;
    const allowed = this.add("And", [seen, given], name);
    return this.add("Where", [allowed, this.float(0), this.float(lowest)], name);
  }

  /** Keys and values of earlier tokens, [batch, heads, past, head size]. */
  past(layer: number, batch: string): { readonly key: Value; readonly value: Value } {
    const { keyValueHeads, headSize } = this.config;
    const type = tensorType("float32", [batch, keyValueHeads, "past_sequence_length", headSize]);
    const input = (what: string) => this.graph.addInput(`past_key_values.${layer}.${what}`, type);
    return { key: input("key"), value: input("value") };
  }

  #constant(name: string, make: () => Tensor): Value {
    const value = this.#constants.get(name) ?? this.graph.addInitializer(`constant.${name}`, make());
    this.#constants.set(name, value);
    return value;
  }
}

export interface Rotation {
  readonly cosine: Value;
  readonly sine: Value;
}

/** −∞ would turn a row in which nothing may be looked at into NaN. */
const lowest = -3.4028234663852886e38;
