/** What an adapter is: it rewrites one node so that it means in version v what it meant in the version before. */
import { AvocetError } from "../../base/inner.ts";
import { type AttributeLike, addNode, attributeOf, type Model, type Node, type Value } from "../../ir/inner.ts";
import { Tensor } from "../../tensor/inner.ts";

/** Where an adapter stands: the version that it raises a node to, and how it makes constants there. */
export class Raise {
  readonly version: number;
  /** Bodies of functions have no initializers: their constants are nodes. */
  readonly #inFunction: boolean;
  readonly #source: string | undefined;

  constructor(version: number, inFunction: boolean, model: Model) {
    this.version = version;
    this.#inFunction = inFunction;
    this.#source = model.source;
  }

  /** A constant for an input of this node. */
  constant(node: Node, hint: string, tensor: Tensor): Value {
    const graph = node.graph!;
    const name = `${node.output.name}_${hint}`;
    if (!this.#inFunction) return graph.addInitializer(name, tensor);
    return addNode(graph, "Constant", [], { value: tensor }, { output: name, place: { before: node } }).output;
  }

  ints(node: Node, hint: string, values: readonly number[]): Value {
    return this.constant(node, hint, Tensor.int64([values.length], values));
  }

  /** A node before this one. */
  before(
    node: Node,
    op: string,
    inputs: readonly (Value | null)[],
    attributes: Readonly<Record<string, AttributeLike>> = {},
  ): Value {
    const hint = `${node.output.name}_${op.toLowerCase()}`;
    return addNode(node.graph!, op, inputs, attributes, { output: hint, place: { before: node } }).output;
  }

  /** The error `import/unsupported-opset` for a node that newer versions cannot express. */
  refusal(node: Node, problem: string): AvocetError {
    return new AvocetError(
      "import/unsupported-opset",
      `${node} cannot be raised to opset ${this.version}: ${problem}`,
      {
        at: this.#source ? `${this.#source}: ${node}` : `${node}`,
        hint: "export the model again with a newer opset",
      },
    );
  }
}

export type Adapter = (node: Node, raise: Raise) => void;

/** Per version of an operator: an adapter, or why none is needed. */
export type Adapters = Readonly<Record<number, Adapter>>;

/** Sets an attribute in place. */
export function setAttribute(node: Node, name: string, value: AttributeLike): void {
  node.attributes.set(name, attributeOf(value));
}

/** Moves an attribute of whole numbers to an input, where the node has it. */
export function intsToInput(name: string, index: number): Adapter {
  return (node, raise) => {
    const values = node.ints(name);
    if (node.attributes.get(name)?.type === "reference")
      throw raise.refusal(node, `${name} is an attribute of the function around it`);
    if (!values) return;
    node.attributes.delete(name);
    node.graph!.setInput(node, index, raise.ints(node, name, values));
  };
}
