/** Turns the syntax tree of a text into graphs: names become references, captured values are found in outer graphs. */
import type { AvocetError } from "../../base/index.ts";
import type { Shape } from "../../tensor/index.ts";
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

/** Builds a main graph or the body of a function; its names are taken exactly as they are written. */
export function resolveGraph(
  tree: GraphTree,
  resolution: Resolution,
  references: ReadonlyMap<string, Attribute>,
): Graph {
  const reserved = new Set<string>();
  for (const { name } of [...tree.inputs, ...tree.declared]) reserved.add(name);
  for (const node of tree.nodes) for (const { name } of node.outputs) reserved.add(name);
  return new Resolver(resolution, reserved, references).graph(tree, undefined);
}

class Resolver {
  readonly #names = new Names();
  readonly #resolution: Resolution;
  readonly #reserved: ReadonlySet<string>;
  readonly #references: ReadonlyMap<string, Attribute>;

  constructor(resolution: Resolution, reserved: ReadonlySet<string>, references: ReadonlyMap<string, Attribute>) {
    this.#resolution = resolution;
    this.#reserved = reserved;
    this.#references = references;
  }

  graph(tree: GraphTree, outer: Scope | undefined): Graph {
    const graph = new Graph(tree.name, this.#names);
    const scope: Scope = { values: new Map(), outer };
    const types = new Map<string, Declaration>();
    for (const input of tree.inputs) {
      const value = graph.addInput(this.#claim(input, scope), input.type);
      scope.values.set(input.name, value);
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
    } else scope.values.set(declared.name, graph.addInitializer(this.#claim(declared, scope), data));
  }

  #node(tree: NodeTree, graph: Graph, scope: Scope, types: ReadonlyMap<string, Declaration>): void {
    const inputs = tree.inputs.map((input) => (input.name ? this.#find(input, scope, types) : null));
    const attributes = new Map<string, Attribute>();
    for (const [name, attribute] of tree.attributes) attributes.set(name, this.#attribute(attribute, scope));
    const outputs = tree.outputs.map((output) => (output.name ? this.#claim(output, scope) : ""));
    const { op, domain, overload, label } = tree;
    const node = graph.insert({ op, domain, overload, name: label, inputs, outputs, attributes });
    tree.outputs.forEach(({ name, offset }, i) => {
      if (!name) return;
      if (scope.values.has(name)) throw this.#resolution.error(`the name ${name} is given twice`, offset);
      scope.values.set(name, node.outputs[i]!);
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

  /**
   * A name that is new in its graph. Bodies of If and Loop may repeat names of each other, which the names of a model
   * may not: such inner values get a number behind their name.
   */
  #claim({ name, offset }: Mention, scope: Scope): string {
    if (scope.values.has(name)) throw this.#resolution.error(`the name ${name} is given twice`, offset);
    const isTaken = (hint: string) => this.#names.has(hint) || (scope.outer !== undefined && this.#reserved.has(hint));
    let free = name;
    for (let i = 1; isTaken(free); i++) free = `${name}_${i}`;
    return free;
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
