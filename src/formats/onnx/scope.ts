/** The names that a graph of a file can see: its own, and those of the graphs around it. */
import { type Graph, Value } from "../../ir/inner.ts";
import type { Tensor } from "../../tensor/inner.ts";
import { limits } from "../limits.ts";

/** What does not fit together in a file: the first faults, and how many there are. */
export class Faults {
  readonly shown: string[] = [];
  count = 0;

  add(fault: string): void {
    this.count++;
    if (this.shown.length < limits.faultsShown) this.shown.push(fault.slice(0, limits.faultLength));
  }
}

export class Scope {
  readonly graph: Graph;
  readonly #outer: Scope | null;
  readonly #values = new Map<string, Value>();
  readonly #inputs = new Set<Value>();
  readonly #faults: Faults;

  private constructor(graph: Graph, outer: Scope | null, faults: Faults) {
    this.graph = graph;
    this.#outer = outer;
    this.#faults = faults;
  }

  /** The scope of a main graph or a function body; faults of it and of its subgraphs go into `faults`. */
  static of(graph: Graph, faults: Faults): Scope {
    return new Scope(graph, null, faults);
  }

  /** The scope of a body that sees this one; the same scope when the graph is already its own. */
  inside(graph: Graph): Scope {
    return graph === this.graph ? this : new Scope(graph, this, this.#faults);
  }

  fault(text: string): void {
    this.#faults.add(text);
  }

  /** A value of this graph. */
  own(name: string): Value | null {
    return this.#values.get(name) ?? null;
  }

  ownInput(name: string): Value | null {
    const value = this.own(name);
    return value && this.#inputs.has(value) ? value : null;
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
    const value = this.#named(this.graph.addInput(this.graph.names.spare(name), undefined), name);
    this.#inputs.add(value);
    return value;
  }

  addInitializer(name: string, tensor: Tensor): void {
    if (this.#isNew(name, "an initializer"))
      this.#named(this.graph.addInitializer(this.graph.names.spare(name), tensor), name);
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

  #named(value: Value, name: string): Value {
    this.graph.names.adopt(value, name);
    this.#values.set(name, value);
    return value;
  }
}
