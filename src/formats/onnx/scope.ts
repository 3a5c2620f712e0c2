/** The names that a graph of a file can see: its own, and those of the graphs around it. */
import { type Graph, Value } from "../../ir/index.ts";
import type { Tensor } from "../../tensor/index.ts";

export class Scope {
  readonly graph: Graph;
  readonly #outer: Scope | null;
  readonly #values = new Map<string, Value>();
  readonly #faults: string[];

  private constructor(graph: Graph, outer: Scope | null, faults: string[]) {
    this.graph = graph;
    this.#outer = outer;
    this.#faults = faults;
  }

  /** The scope of a main graph or a function body; faults of it and of its subgraphs go into `faults`. */
  static of(graph: Graph, faults: string[]): Scope {
    return new Scope(graph, null, faults);
  }

  /** The scope of a body that sees this one; the same scope when the graph is already its own. */
  inside(graph: Graph): Scope {
    return graph === this.graph ? this : new Scope(graph, this, this.#faults);
  }

  fault(text: string): void {
    this.#faults.push(text);
  }

  /** A value of this graph. */
  own(name: string): Value | null {
    return this.#values.get(name) ?? null;
  }

  ownInput(name: string): Value | null {
    const value = this.own(name);
    return value && this.graph.inputs.includes(value) ? value : null;
  }

  /** A value of this graph or of one around it. */
  find(name: string): Value | null {
    for (let scope: Scope | null = this; scope; scope = scope.#outer) {
      const value = scope.#values.get(name);
      if (value) return value;
    }
    return null;
  }

  addInput(name: string): Value | null {
    if (!this.#isNew(name, "an input")) return null;
    return this.#named(this.graph.addInput(this.#spare(name), undefined), name);
  }

  addInitializer(name: string, tensor: Tensor): void {
    if (this.#isNew(name, "an initializer")) this.#named(this.graph.addInitializer(this.#spare(name), tensor), name);
  }

  /** The value that a node computes; `by` names the node for messages. */
  define(name: string, by: string): Value {
    const value = new Value(name);
    if (this.#isNew(name, by)) this.#values.set(name, value);
    this.graph.names.share(name);
    return value;
  }

  #isNew(name: string, what: string): boolean {
    if (name === "") this.fault(`${what} of graph ${this.graph.name} has no name`);
    else if (this.#values.has(name)) this.fault(`${what} defines ${name}, which graph ${this.graph.name} has already`);
    else return true;
    return false;
  }

  /** A name that the graph accepts as new: a sibling body may have taken the one of the file. */
  #spare(name: string): string {
    const { names } = this.graph;
    let spare = name;
    for (let i = 1; names.has(spare); i++) spare = `${name}_${i}`;
    return spare;
  }

  #named(value: Value, name: string): Value {
    if (value.name !== name) {
      this.graph.names.release(value.name);
      value.name = this.graph.names.share(name);
    }
    this.#values.set(name, value);
    return value;
  }
}
