/** Turns the syntax tree of a text into graphs: names become references, captured values are found in outer graphs. */
import type { AvocetError } from "../../base/inner.ts";
import type { Shape } from "../../tensor/inner.ts";
import type { Attribute } from "../attribute.ts";
import { Graph, type Value } from "../graph.ts";
import { Names } from "../names.ts";
import { staticShape } from "../types.ts";
import type { Fill } from "./read.ts";
import { refuseSeeded } from "./seeded.ts";
import type { AttributeTree, Declaration, GraphTree, Mention, NodeTree } from "./tree.ts";

/** What is the same for a whole text. */
export interface Resolution {
  readonly fill: Fill | undefined;
  error(problem: string, offset: number, hint?: string): AvocetError;
}

/** The names that can be read at one place: of this graph, then of the graphs around it. */
interface Scope {
  readonly values: Map<string, Value>;
  readonly outer: Scope | undefined;
}

/** Builds a main graph or the body of a function. */
export function resolveGraph(
  tree: GraphTree,
  resolution: Resolution,
  references: ReadonlyMap<string, Attribute>,
): Graph {
  return new Resolver(resolution, references).graph(tree, undefined);
}

class Resolver {
  readonly #names = new Names();
  readonly #resolution: Resolution;
  readonly #references: ReadonlyMap<string, Attribute>;

  constructor(resolution: Resolution, references: ReadonlyMap<string, Attribute>) {
    this.#resolution = resolution;
    this.#references = references;
  }

  graph(tree: GraphTree, outer: Scope | undefined): Graph {
    const graph = new Graph(tree.name, this.#names);
    const scope: Scope = { values: new Map(), outer };
    const types = new Map<string, Declaration>();
    for (const input of tree.inputs) {
      const value = graph.addInput(this.#names.spare(input.name), input.type);
      this.#define(value, input, scope);
      if (input.data) graph.setDefault(value, input.data);
    }
    const computed = new Set(tree.nodes.flatMap((node) => node.outputs.map(({ name }) => name)));
    for (const declared of tree.declared) this.#declare(declared, graph, scope, computed, types);
    for (const node of tree.nodes) this.#node(node, graph, scope, types);
    for (const output of tree.outputs) {
      const value = this.#find(output, scope, types);
      value.type ??= output.type;
      graph.addOutput(value);
    }
    for (const [name, { type }] of types) {
      const value = scope.values.get(name);
      if (value) value.type ??= type;
    }
    return graph;
  }

  /** A constant, the default of an input, or the type of a value that is computed here or further out. */
  #declare(
    declared: Declaration,
    graph: Graph,
    scope: Scope,
    computed: ReadonlySet<string>,
    types: Map<string, Declaration>,
  ): void {
    const input = scope.values.get(declared.name);
    let { data } = declared;
    const shape = declared.type?.kind === "tensor" ? staticShape(declared.type) : undefined;
    const known = input || computed.has(declared.name) || lookUp(scope, declared.name);
    if (!data && !known && declared.type?.kind === "tensor" && shape && this.#resolution.fill) {
      const refusal = refuseSeeded(declared.type.dtype, shape);
      if (refusal) throw this.#resolution.error(`expected data for ${declared.name}: ${refusal}`, declared.offset);
      data = this.#resolution.fill(declared.name, declared.type.dtype, shape);
    }
    if (!data) types.set(declared.name, declared);
    else if (input && graph.inputs.includes(input) && !input.initializer) {
      if (!sameShape(staticShape(input.type), data.shape) && staticShape(input.type)) {
        throw this.#resolution.error(`expected data of the type of the input ${declared.name}`, declared.offset);
      }
      graph.setDefault(input, data);
    } else this.#define(graph.addInitializer(this.#names.spare(declared.name), data), declared, scope);
  }

  #node(tree: NodeTree, graph: Graph, scope: Scope, types: ReadonlyMap<string, Declaration>): void {
    const inputs = tree.inputs.map((input) => (input.name ? this.#find(input, scope, types) : null));
    const attributes = new Map<string, Attribute>();
    for (const [name, attribute] of tree.attributes) attributes.set(name, this.#attribute(attribute, scope));
    const outputs = tree.outputs.map(({ name }) => name);
    const { op, domain, overload, label } = tree;
    const node = graph.insert({ op, domain, overload, name: label, inputs, outputs, attributes });
    tree.outputs.forEach((output, i) => {
      if (output.name) this.#define(node.outputs[i]!, output, scope);
    });
  }

  #attribute(tree: AttributeTree, scope: Scope): Attribute {
    switch (tree.type) {
      case "graph":
        return { type: "graph", value: this.graph(tree.value, scope) };
      case "graphs":
        return { type: "graphs", value: tree.value.map((body) => this.graph(body, scope)) };
      case "reference":
        return resolveReference(tree, this.#references, this.#resolution);
      default:
        return tree;
    }
  }

  #find(mention: Mention, scope: Scope, types: ReadonlyMap<string, Declaration>): Value {
    const found = lookUp(scope, mention.name);
    if (found) return found;
    if (types.has(mention.name) && !this.#resolution.fill) {
      throw this.#resolution.error(
        `expected a value that is given or computed before, ${mention.name} is only declared`,
        mention.offset,
        `give its data, as in float[2] ${mention.name} = {1, 2}, or a seed: parseModel(text, { seed: 1 })`,
      );
    }
    throw this.#resolution.error(`expected a value that is known here, got ${mention.name}`, mention.offset);
  }

  /** Gives a value the name that it has in the text: new in its graph, but bodies may repeat names of each other. */
  #define(value: Value, { name, offset }: Mention, scope: Scope): void {
    if (scope.values.has(name)) throw this.#resolution.error(`the name ${name} is given twice`, offset);
    this.#names.adopt(value, name);
    scope.values.set(name, value);
  }
}

/** The type of a reference is annotated, or is that of the default of the function's attribute. */
export function resolveReference(
  tree: Extract<AttributeTree, { type: "reference" }>,
  defaults: ReadonlyMap<string, Attribute>,
  resolution: Resolution,
): Attribute {
  const known = defaults.get(tree.value)?.type;
  const of = tree.of ?? (known === "reference" ? undefined : known);
  if (of) return { type: "reference", value: tree.value, of };
  throw resolution.error(
    "a reference to an attribute needs a type",
    tree.offset,
    `write its type, as in alpha: float = @${tree.value}`,
  );
}

function lookUp(scope: Scope | undefined, name: string): Value | undefined {
  for (let at = scope; at; at = at.outer) {
    const found = at.values.get(name);
    if (found) return found;
  }
  return undefined;
}

function sameShape(a: Shape | undefined, b: Shape): boolean {
  return a !== undefined && a.length === b.length && a.every((length, i) => length === b[i]);
}
