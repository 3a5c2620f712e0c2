/** Builds nodes of recurrent layers, written out or as operators, in front of a node. */
import { type AttributeLike, addNode, type Graph, type Node, type Value } from "../../ir/inner.ts";
import { Tensor } from "../../tensor/inner.ts";

/** Writes operators into the graph in front of a node; constants of the same content are made once. */
export class Writer {
  readonly #graph: Graph;
  readonly #node: Node;
  readonly #prefix: string;
  readonly #ints = new Map<string, Value>();

  /** `prefix`: what the names of all values begin with. Default: the name of the node. */
  constructor(node: Node, prefix = node.name || node.output.name) {
    this.#graph = node.graph!;
    this.#node = node;
    this.#prefix = prefix;
  }

  /** One output of a standard operator. `hint` names it within the layer. */
  op(
    op: string,
    inputs: readonly (Value | null)[],
    hint: string,
    attributes: Record<string, AttributeLike> = {},
  ): Value {
    return this.many(op, inputs, [hint], attributes)[0]!;
  }

  /** All outputs of a standard operator. */
  many(
    op: string,
    inputs: readonly (Value | null)[],
    hints: readonly string[],
    attributes: Record<string, AttributeLike> = {},
  ): readonly Value[] {
    const outputs = hints.map((hint) => `${this.#prefix}/${hint}`);
    return addNode(this.#graph, op, inputs, attributes, { outputs, place: { before: this.#node } }).outputs;
  }

  ints(...values: readonly number[]): Value {
    const key = values.join(",");
    const made =
      this.#ints.get(key) ?? this.#graph.addInitializer(`${this.#prefix}/ints`, Tensor.int64([values.length], values));
    this.#ints.set(key, made);
    return made;
  }

  constant(hint: string, tensor: Tensor): Value {
    return this.#graph.addInitializer(`${this.#prefix}/${hint}`, tensor);
  }

  float(value: number): Value {
    return this.#graph.addInitializer(`${this.#prefix}/number`, Tensor.scalar(value));
  }

  /** The d-th slice along an axis, with the axis gone. */
  pick(value: Value, index: number, axis: number, hint: string): Value {
    const slice = this.op("Slice", [value, this.ints(index), this.ints(index + 1), this.ints(axis)], `${hint}_slice`);
    return this.op("Squeeze", [slice, this.ints(axis)], hint);
  }
}
