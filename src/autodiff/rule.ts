/** What a gradient rule is: it gets a node and the gradients of its outputs, and returns the gradients of its inputs. */

import { AvocetError, invariant } from "../base/inner.ts";
import { defaultOf } from "../facts/inner.ts";
import type { Graph, Node, TensorType, Value } from "../ir/inner.ts";
import { type DType, dtypes, type Shape, type Tensor } from "../tensor/inner.ts";
import { type ConstantPool, Emitter } from "./emitter.ts";

/** Gradients by input index; null or absent where nothing flows. Rules may leave out what `wants` does not ask for. */
export type InputGradients = readonly (Value | null | undefined)[];

export type GradientRule = (b: Backward) => InputGradients;

/**
 * A row of the table. `flat`: the outputs are piecewise constant in the inputs (or no floats), so the gradient is zero
 * almost everywhere and nothing flows. `none`: there is a gradient, or could be, that nobody gives; the sentence says why.
 */
export type GradientRow = GradientRule | { readonly flat: string } | { readonly none: string };

/** A value and the gradient that arrives there from outside: for a loss, a one. */
export interface Seed {
  readonly value: Value;
  readonly gradient: Value;
}

/** What a rule may ask of the walk that visits its node. */
export interface Walk {
  readonly wanted: (value: Value) => boolean;
  readonly give: (value: Value, gradient: Value) => void;
  readonly types: ReadonlyMap<string, TensorType>;
  readonly pool: ConstantPool;
  /** Appends the backward pass of a body to it: gradients of `wrt`, some of which the body may capture from outside. */
  readonly body: (
    graph: Graph,
    seeds: readonly Seed[],
    wrt: readonly Value[],
    types: ReadonlyMap<string, TensorType>,
  ) => Map<Value, Value>;
}

/** The place of a rule: the node, what flows back to it, and the means to write nodes. */
export class Backward extends Emitter {
  readonly node: Node;
  readonly #gradients: readonly (Value | null)[];
  readonly #walk: Walk;

  constructor(node: Node, gradients: readonly (Value | null)[], walk: Walk) {
    super(node.graph!, walk.types, walk.pool);
    this.node = node;
    this.#gradients = gradients;
    this.#walk = walk;
  }

  /** Appends the backward pass of a body to it (see `Walk`). */
  get differentiateBody(): Walk["body"] {
    return this.#walk.body;
  }

  /** The gradient of the first output. Only for rules of operators whose other outputs carry none. */
  get dy(): Value {
    const first = this.#gradients[0];
    invariant(first, `nothing flows back into the first output of ${this.node}`);
    return first;
  }

  /** The gradient that arrives at an output, null where nothing that counts depends on it. */
  gradient(output: number): Value | null {
    return this.#gradients[output] ?? null;
  }

  /** An input that must be there. */
  input(index: number): Value {
    const value = this.node.input(index);
    invariant(value, `${this.node} has no input ${index}`);
    return value;
  }

  /** The same as float32, whatever number it is. */
  floatInput(index: number): Value {
    const value = this.input(index);
    return this.dtypeOf(value) === "float32" ? value : this.asFloat(value);
  }

  /** The first output of the forward pass. */
  get y(): Value {
    return this.node.output;
  }

  /** Whether anybody asks for the gradient of this input. */
  wants(index: number): boolean {
    const value = this.node.input(index);
    return value !== null && this.#walk.wanted(value);
  }

  /** Whether anybody asks for the gradient of a value (one that a body captures, for example). */
  wantsValue(value: Value): boolean {
    return this.#walk.wanted(value);
  }

  /** Adds to the gradient of a value that is no input of the node: one that a body captures, or the input of a pair. */
  give(value: Value, gradient: Value): void {
    this.#walk.give(value, gradient);
  }

  /** Shape of an input. */
  shapeOf(index: number): Shape {
    return this.shape(this.input(index));
  }

  /** Shape of the first output. */
  get outShape(): Shape {
    return this.shape(this.node.output);
  }

  /** Element type of a value of the forward pass. */
  dtypeOf(value: Value): DType | undefined {
    return value.initializer?.dtype ?? this.types.get(value.name)?.dtype;
  }

  /** Whether a value of the forward pass holds floats, so that a gradient can flow to it. */
  isFloat(value: Value): boolean {
    const dtype = this.dtypeOf(value);
    return dtype !== undefined && dtypes[dtype].kind === "float";
  }

  /** The content of a value that is known before the graph runs: an initializer, or a Constant node in any of its forms. */
  constantOf(value: Value): Tensor | undefined {
    return defaultOf(value);
  }

  /** The content of an input that must be a constant (axes, pads, shapes), or undefined where it is left out. */
  constantInput(index: number): Tensor | undefined {
    const value = this.node.input(index);
    if (value === null) return undefined;
    const tensor = this.constantOf(value);
    if (tensor) return tensor;
    throw this.refusal(`its input ${index} (${value.name}) is computed; only a constant has a gradient rule`);
  }

  /** The numbers of such an input. */
  constantNumbers(index: number): number[] | undefined {
    return this.constantInput(index)?.numbers();
  }

  /** Why this very node has no gradient, to be thrown. */
  refusal(reason: string): AvocetError {
    return new AvocetError(
      "autodiff/no-gradient",
      `expected an operator with a gradient, got ${this.node}: ${reason}`,
      {
        at: `${this.node}`,
        hint: "give a rule for the operator (option `rules`), or keep it out of what is trained",
      },
    );
  }
}
