/** The flat buffers of a training graph: each is an input and an output. */
import { type Graph, tensorType, type Value } from "../ir/inner.ts";

/** A flat buffer that goes in under one name and comes out, renewed, under another. */
export interface Buffer {
  readonly input: string;
  readonly output: string;
  readonly initial: Float32Array;
}

export class Buffers {
  readonly all = new Map<string, Buffer>();
  readonly #graph: Graph;
  readonly #values = new Map<string, Value>();

  constructor(graph: Graph) {
    this.#graph = graph;
  }

  /** Adds a buffer, and its input to the graph; what it becomes is for the caller to tell. */
  add(name: string, initial: Float32Array): Value {
    const input = `train.${name}`;
    this.all.set(name, { input, output: `train.next_${name}`, initial });
    const value = this.#graph.addInput(input, tensorType("float32", [initial.length]));
    this.#values.set(name, value);
    return value;
  }

  /** The input of a buffer that was added. */
  value(name: string): Value {
    return this.#values.get(name)!;
  }
}
