/**
 * The graph: values, nodes and the use-def edges between them. Edges are object references; names matter only on
 * disk. Four edits own the edges: `insert`, `remove`, `replaceUses`, `setInput`. Value, Node and Graph refer to each
 * other and keep one invariant together (every use is recorded on both sides), which is why they share this file.
 */
import { AvocetError } from "../base/inner.ts";
import type { Tensor } from "../tensor/inner.ts";
import type { Attribute, Whole } from "./attribute.ts";
import { Names } from "./names.ts";
import type { ValueType } from "./types.ts";

/** One place where a value is read: an input of a node, or an output of a graph. */
export type Use = { readonly node: Node; readonly index: number } | { readonly graph: Graph; readonly index: number };

// Only this file may write edges; the key is not exported.
const edit = Symbol("edit");

export class Value {
  /** Unique in the model. Change it with `graph.rename`. */
  name: string;
  type: ValueType | undefined;
  /** Data of a constant (ONNX initializer). */
  initializer: Tensor | undefined;
  docString: string | undefined;
  readonly metadata = new Map<string, string>();
  readonly [edit]: { producer: Node | null; graph: Graph | null; uses: Map<object, Map<number, Use>> } = {
    producer: null,
    graph: null,
    uses: new Map(),
  };

  constructor(name: string, type?: ValueType, initializer?: Tensor) {
    this.name = name;
    this.type = type;
    this.initializer = initializer;
  }

  /** The node that computes this value; null for graph inputs and initializers. */
  get producer(): Node | null {
    return this[edit].producer;
  }

  /** The graph whose input or initializer this is, or that holds the producer. */
  get graph(): Graph | null {
    return this[edit].producer?.graph ?? this[edit].graph;
  }

  /** Every place that reads this value, in subgraphs too. */
  *uses(): Iterable<Use> {
    for (const places of this[edit].uses.values()) yield* places.values();
  }

  get useCount(): number {
    let count = 0;
    for (const places of this[edit].uses.values()) count += places.size;
    return count;
  }

  /** Whether this value knows that it is read there. */
  isReadAt(reader: Node | Graph, index: number): boolean {
    return this[edit].uses.get(reader)?.has(index) ?? false;
  }

  /** The nodes that read this value, each once. */
  consumers(): Node[] {
    return [...this[edit].uses.keys()].filter((reader): reader is Node => reader instanceof Node);
  }

  /** Whether a graph (main or sub) returns this value. */
  get isGraphOutput(): boolean {
    for (const reader of this[edit].uses.keys()) if (reader instanceof Graph) return true;
    return false;
  }

  get isGraphInput(): boolean {
    return this.graph?.inputs.includes(this) ?? false;
  }

  toString(): string {
    return `%${this.name}`;
  }
}

/** What a new node is made of; outputs are named, the values are made by the graph. */
export interface NodeSpec {
  readonly op: string;
  readonly domain?: string;
  readonly name?: string;
  /** null: an optional input that is left out. */
  readonly inputs: readonly (Value | null)[];
  /** Names (hints: made unique) or values without producer; "" is an output that is left out. */
  readonly outputs: readonly (string | Value)[];
  readonly attributes?: ReadonlyMap<string, Attribute>;
  /** ONNX's overload of a model-local function. */
  readonly overload?: string;
}

export class Node {
  readonly op: string;
  /** "" is the standard domain ("ai.onnx"). */
  readonly domain: string;
  readonly overload: string;
  name: string;
  docString: string | undefined;
  readonly attributes: Map<string, Attribute>;
  readonly metadata = new Map<string, string>();
  /** Fields of the file that Avocet does not know, written back unchanged. */
  unknownFields: Uint8Array | undefined;
  readonly outputs: readonly Value[];
  readonly [edit]: { inputs: (Value | null)[]; graph: Graph | null; previous: Node | null; next: Node | null };

  /** Use `graph.insert`. */
  constructor(spec: NodeSpec, outputs: readonly Value[]) {
    this.op = spec.op;
    this.domain = spec.domain ?? "";
    this.overload = spec.overload ?? "";
    this.name = spec.name ?? "";
    this.attributes = new Map(spec.attributes);
    this.outputs = outputs;
    this[edit] = { inputs: trimmed([...spec.inputs]), graph: null, previous: null, next: null };
  }

  get inputs(): readonly (Value | null)[] {
    return this[edit].inputs;
  }

  get graph(): Graph | null {
    return this[edit].graph;
  }

  /** The i-th input, or null where it is left out. */
  input(index: number): Value | null {
    return this[edit].inputs[index] ?? null;
  }

  /** The first output. */
  get output(): Value {
    return this.outputs[0]!;
  }

  /** "Conv", or "com.microsoft.FusedConv" outside the standard domain. */
  get opName(): string {
    return this.domain ? `${this.domain}.${this.op}` : this.op;
  }

  /** A whole-number attribute, or the fallback when it is absent. */
  int(name: string, fallback: number): number;
  int(name: string): number | undefined;
  int(name: string, fallback?: number): number | undefined {
    const found = this.attributes.get(name);
    return found?.type === "int" ? safe(found.value) : fallback;
  }

  ints(name: string, fallback: readonly number[]): readonly number[];
  ints(name: string): readonly number[] | undefined;
  ints(name: string, fallback?: readonly number[]): readonly number[] | undefined {
    const found = this.attributes.get(name);
    return found?.type === "ints" ? found.value.map(safe) : fallback;
  }

  float(name: string, fallback: number): number;
  float(name: string): number | undefined;
  float(name: string, fallback?: number): number | undefined {
    const found = this.attributes.get(name);
    return found?.type === "float" ? found.value : fallback;
  }

  string(name: string, fallback: string): string;
  string(name: string): string | undefined;
  string(name: string, fallback?: string): string | undefined {
    const found = this.attributes.get(name);
    return found?.type === "string" && typeof found.value === "string" ? found.value : fallback;
  }

  tensor(name: string): Tensor | undefined {
    const found = this.attributes.get(name);
    return found?.type === "tensor" ? found.value : undefined;
  }

  /** The bodies of If, Loop and Scan. */
  *subgraphs(): Iterable<Graph> {
    for (const attribute of this.attributes.values()) {
      if (attribute.type === "graph") yield attribute.value;
      if (attribute.type === "graphs") yield* attribute.value;
    }
  }

  /** "Conv conv1" for messages. */
  toString(): string {
    return this.name ? `${this.opName} ${this.name}` : `${this.opName} → ${this.outputs[0]?.name ?? "nothing"}`;
  }
}

/** Inputs that are left out at the end say nothing. */
function trimmed(inputs: (Value | null)[]): (Value | null)[] {
  while (inputs.length > 0 && inputs[inputs.length - 1] === null) inputs.pop();
  return inputs;
}

/** Outputs that are left out at the end: runtimes take some of them for outputs that must have a name. */
function withoutTrailing(outputs: readonly (string | Value)[]): readonly (string | Value)[] {
  let count = outputs.length;
  for (; count > 1; count--) {
    const last = outputs[count - 1]!;
    if ((typeof last === "string" ? last : last.name) !== "") break;
  }
  return outputs.slice(0, count);
}

function safe(value: Whole): number {
  if (typeof value === "number") return value;
  const limit = BigInt(Number.MAX_SAFE_INTEGER);
  return Number(value > limit ? limit : value < -limit ? -limit : value);
}

export type Place = { readonly before: Node } | { readonly after: Node };

export class Graph {
  name: string;
  docString: string | undefined;
  readonly metadata = new Map<string, string>();
  unknownFields: Uint8Array | undefined;
  /** All names in use in the model; subgraphs share it. */
  readonly names: Names;
  /** The node whose body this is; null for the main graph and for function bodies. */
  parent: Node | null = null;
  #inputs: Value[] = [];
  #outputs: Value[] = [];
  #initializers = new Set<Value>();
  #first: Node | null = null;
  #last: Node | null = null;
  #count = 0;

  constructor(name: string, names: Names = new Names()) {
    this.name = name;
    this.names = names;
  }

  get inputs(): readonly Value[] {
    return this.#inputs;
  }

  get outputs(): readonly Value[] {
    return this.#outputs;
  }

  get initializers(): ReadonlySet<Value> {
    return this.#initializers;
  }

  get nodeCount(): number {
    return this.#count;
  }

  /** The nodes in order. Safe to edit while iterating: a removed node is not visited, a node inserted ahead is. */
  get nodes(): Iterable<Node> {
    return this.#walk();
  }

  *#walk(): Iterable<Node> {
    let node = this.#first;
    while (node) {
      // The successor is taken before the body may remove the node, and again after it may have inserted behind it.
      const next = node[edit].next;
      yield node;
      if (node[edit].graph === this) node = node[edit].next;
      else {
        node = next;
        while (node && node[edit].graph !== this) node = node[edit].next;
      }
    }
  }

  /** Adds a graph input at the end. The name is taken as given. Throws `graph/name-taken`. */
  addInput(name: string, type?: ValueType): Value {
    const value = new Value(this.names.claim(name), type);
    value[edit].graph = this;
    this.#inputs.push(value);
    return value;
  }

  /** Adds a constant. The name is a hint that is made unique; data stays where it is. */
  addInitializer(hint: string, tensor: Tensor): Value {
    const type = { kind: "tensor", dtype: tensor.dtype, shape: tensor.shape } as const;
    const value = new Value(this.names.fresh(hint), type, tensor);
    value[edit].graph = this;
    this.#initializers.add(value);
    return value;
  }

  /** Marks a graph input as having a default: the old ONNX habit of listing initializers among the inputs. */
  setDefault(input: Value, tensor: Tensor): void {
    input.initializer = tensor;
    this.#initializers.add(input);
  }

  /** Makes a constant that is also listed as an input a plain constant. */
  unlistInput(input: Value): void {
    if (!input.initializer) throw new AvocetError("graph/invalid", `expected a constant, got the input ${input.name}`);
    this.#inputs = this.#inputs.filter((v) => v !== input);
  }

  /** Removes a constant that nobody reads. */
  removeInitializer(value: Value): void {
    if (value.useCount > 0) throw inUse(value);
    this.#initializers.delete(value);
    value.initializer = undefined;
    if (!this.#inputs.includes(value)) this.#forget(value);
  }

  /** Removes a graph input that nobody reads. */
  removeInput(value: Value): void {
    if (value.useCount > 0) throw inUse(value);
    this.#inputs = this.#inputs.filter((v) => v !== value);
    this.#initializers.delete(value);
    value.initializer = undefined;
    this.#forget(value);
  }

  /** Puts the inputs into another order. */
  orderInputs(inputs: readonly Value[]): void {
    const isSame = new Set(inputs).size === this.#inputs.length && inputs.length === this.#inputs.length;
    if (!isSame || !inputs.every((value) => this.#inputs.includes(value))) {
      throw new AvocetError("graph/invalid", `expected the ${this.#inputs.length} inputs of ${this.name}, each once`);
    }
    this.#inputs = [...inputs];
  }

  addOutput(value: Value): void {
    ensureOwn(value, this);
    recordUse(value, { graph: this, index: this.#outputs.length });
    this.#outputs.push(value);
  }

  /** Replaces all graph outputs. */
  setOutputs(values: readonly Value[]): void {
    for (const value of values) ensureOwn(value, this);
    this.#outputs.forEach((value, index) => {
      eraseUse(value, { graph: this, index });
    });
    this.#outputs = [];
    for (const value of values) this.addOutput(value);
  }

  /** Edit 1: makes a node at the end, or before or after another one. Output names are hints made unique. */
  insert(spec: NodeSpec, place?: Place): Node {
    if (place) this.#own("before" in place ? place.before : place.after);
    for (const input of spec.inputs) if (input) ensureOwn(input, this);
    const outputs = withoutTrailing(spec.outputs).map((output) =>
      typeof output === "string" ? new Value(output === "" ? "" : this.names.fresh(output)) : output,
    );
    for (const output of outputs) ensureNew(output);
    const node = new Node(spec, outputs);
    this.#link(node, place);
    for (const output of outputs) output[edit].producer = node;
    node[edit].inputs.forEach((value, index) => {
      if (value) recordUse(value, { node, index });
    });
    for (const body of node.subgraphs()) body.parent = node;
    return node;
  }

  /** Edit 2: removes a node. Throws `graph/value-in-use` if anyone still reads one of its outputs. */
  remove(node: Node): void {
    this.#own(node);
    const read = node.outputs.find((value) => value.useCount > 0);
    if (read) throw inUse(read);
    node[edit].inputs.forEach((value, index) => {
      if (value) eraseUse(value, { node, index });
    });
    // A body that another node has taken over since stays whole.
    for (const body of node.subgraphs()) if (body.parent === node) body.#drop();
    for (const output of node.outputs) {
      if (output.name) this.names.release(output.name);
      output[edit].producer = null;
    }
    const { previous, next } = node[edit];
    if (previous) previous[edit].next = next;
    else this.#first = next;
    if (next) next[edit].previous = previous;
    else this.#last = previous;
    node[edit].graph = null;
    this.#count--;
  }

  /**
   * Edit 3: everyone who read `old` reads `next`, in subgraphs too. A graph output keeps its name on disk: `next` takes
   * it over when it has a producer and is no graph output itself; otherwise an Identity that carries the name is
   * inserted. Only an output that is a graph input itself gets another name: the input keeps its own.
   */
  replaceUses(old: Value, next: Value, where: (use: Use) => boolean = () => true): void {
    if (old === next) return;
    ensureOwn(next, old.graph);
    const carriers = new Map<Graph, Value>();
    for (const use of [...old.uses()].filter(where)) {
      if ("node" in use) this.setInput(use.node, use.index, next);
      else {
        const carrier = carriers.get(use.graph) ?? use.graph.#carrier(old, next);
        carriers.set(use.graph, carrier);
        eraseUse(old, use);
        use.graph.#outputs[use.index] = carrier;
        recordUse(carrier, use);
      }
    }
  }

  /** Edit 4: sets one input of a node; beyond the end, the inputs between are left out. */
  setInput(node: Node, index: number, value: Value | null): void {
    if (value) ensureOwn(value, node.graph);
    const inputs = node[edit].inputs;
    const before = inputs[index];
    if (before) eraseUse(before, { node, index });
    while (inputs.length < index) inputs.push(null);
    inputs[index] = value;
    if (value) recordUse(value, { node, index });
    trimmed(inputs);
  }

  /** Moves a node to another place in the order. A loop over the nodes that has just got it goes on from there. */
  move(node: Node, place: Place): void {
    this.#own(node);
    if (("before" in place ? place.before : place.after) === node) return;
    const { previous, next } = node[edit];
    if (previous) previous[edit].next = next;
    else this.#first = next;
    if (next) next[edit].previous = previous;
    else this.#last = previous;
    this.#count--;
    this.#link(node, place);
  }

  /** Gives a value another name. Throws `graph/name-taken`. */
  rename(value: Value, name: string): void {
    if (value.name === name) return;
    this.names.claim(name);
    this.names.release(value.name);
    value.name = name;
  }

  /** Gives a value a new name made from the hint, so that another value can take its old one. */
  setAside(value: Value, hint = value.name): void {
    const name = this.names.fresh(hint);
    this.names.release(value.name);
    value.name = name;
  }

  /** Gives a value a new name: the hint, or the hint with a number behind it when it is taken. */
  renameLike(value: Value, hint: string): void {
    const name = this.names.fresh(hint);
    this.names.release(value.name);
    value.name = name;
  }

  /** Every value by name: inputs, constants and node outputs of this graph (not of subgraphs). */
  valuesByName(): Map<string, Value> {
    const found = new Map<string, Value>();
    for (const value of this.values()) found.set(value.name, value);
    return found;
  }

  /** Inputs, constants, then the outputs of nodes in order. */
  *values(): Iterable<Value> {
    yield* this.#inputs;
    for (const value of this.#initializers) if (!this.#inputs.includes(value)) yield value;
    for (const node of this.#walk()) for (const output of node.outputs) if (output.name) yield output;
  }

  /** The value that stands for `next` among the outputs of this graph, where `old` stood; it has the name of `old`. */
  #carrier(old: Value, next: Value): Value {
    // Outputs of a body are known by their place; only a value from outside cannot stand there for one from inside.
    if (this.parent && (next.graph === this || old.graph !== this)) return next;
    const { name } = old;
    const keepsName = !old.isGraphInput;
    if (keepsName) this.renameLike(old, name);
    const adopts = next.producer !== null && !next.isGraphOutput && next.graph === this;
    if (!adopts) {
      const carrier = this.insert({ op: "Identity", inputs: [next], outputs: [name] }).output;
      carrier.type = old.type;
      return carrier;
    }
    if (keepsName) this.rename(next, name);
    next.type ??= old.type;
    return next;
  }

  /** A value that is neither an input nor a constant any more. */
  #forget(value: Value): void {
    this.names.release(value.name);
    value[edit].graph = null;
  }

  /** A body that goes away reads nothing any more, captured values of the outer graph included; its names are free. */
  #drop(): void {
    this.setOutputs([]);
    for (const node of [...this.#walk()].reverse()) this.remove(node);
    for (const value of new Set([...this.#inputs, ...this.#initializers])) this.#forget(value);
    this.#inputs = [];
    this.#initializers.clear();
    this.parent = null;
  }

  #own(node: Node): void {
    if (node[edit].graph !== this)
      throw new AvocetError("graph/not-found", `expected a node of graph ${this.name}, got ${node}`);
  }

  #link(node: Node, place: Place | undefined): void {
    const anchor = place ? ("before" in place ? place.before : place.after) : null;
    if (anchor) this.#own(anchor);
    const previous = !place ? this.#last : "before" in place ? place.before[edit].previous : place.after;
    const next = !place ? null : "before" in place ? place.before : place.after[edit].next;
    node[edit].previous = previous;
    node[edit].next = next;
    node[edit].graph = this;
    if (previous) previous[edit].next = node;
    else this.#first = node;
    if (next) next[edit].previous = node;
    else this.#last = node;
    this.#count++;
  }
}

/** A value belongs to one place: it is computed by one node, or it is an input or constant of one graph. */
function ensureNew(value: Value): void {
  if (value[edit].producer ?? value[edit].graph) {
    throw new AvocetError("graph/invalid", `expected a value that is new, ${value.name} belongs to a graph`);
  }
}

/** A value of another model cannot be read here; which graphs of one model see it, `check` reports. */
function ensureOwn(value: Value, graph: Graph | null): void {
  if (!graph || !value.graph || value.graph.names === graph.names) return;
  throw new AvocetError("graph/foreign-value", `expected a value of the same model as ${graph.name}, got ${value}`, {
    hint: "copy it with absorb or cloneGraph, or make it an input",
  });
}

function recordUse(value: Value, use: Use): void {
  const reader = "node" in use ? use.node : use.graph;
  const places = value[edit].uses.get(reader) ?? new Map<number, Use>();
  places.set(use.index, use);
  value[edit].uses.set(reader, places);
}

function eraseUse(value: Value, use: Use): void {
  const reader = "node" in use ? use.node : use.graph;
  const places = value[edit].uses.get(reader);
  places?.delete(use.index);
  if (places?.size === 0) value[edit].uses.delete(reader);
}

function inUse(value: Value): AvocetError {
  const readers = [...value.uses()].map((use) => ("node" in use ? `${use.node}` : `output of ${use.graph.name}`));
  return new AvocetError(
    "graph/value-in-use",
    `expected a value without readers, ${value.name} is read by ${readers.join(", ")}`,
    {
      at: value.name,
      hint: "replace its uses first",
    },
  );
}
