/** Builds the ONNX graph of an imported model: constants where they are read, transposes where an operator needs them, each once. */
import { AvocetError } from "../../base/inner.ts";
import { type AttributeLike, addNode, type Dim, Graph, type Node, tensorType, type Value } from "../../ir/inner.ts";
import { type DType, Tensor } from "../../tensor/inner.ts";
import { limits } from "../limits.ts";
import { arrayOf } from "./content.ts";
import {
  type Content,
  channelsFirst,
  type Order,
  sameOrder,
  sourceOrder,
  storedShape,
  type Term,
  transposed,
} from "./term.ts";

/** The operator set that importers write: the newest that all runtimes of docs/runtimes.md load, with 4-bit quantizers. */
export const importedOpset = 21;

/** Lists of so many numbers are stored once, whoever reads them. */
const shortList = 16;

/** What the emitters of one model share. */
interface Shared {
  readonly file: string;
  /** Constants are initializers of the main graph, which bodies see. */
  readonly root: Graph;
  readonly constants: WeakMap<Tensor, Map<string, Value>>;
  /** Short lists of numbers (axes, pads), each once. */
  readonly lists: Map<string, Term>;
  parts: number;
  /** Operators of the source, and how many of them needed no node. */
  readonly tally: { operators: number; withoutNode: number };
}

export class Emitter {
  readonly graph: Graph;
  readonly #shared: Shared;
  readonly #outer: Emitter | null;
  readonly #moved = new Map<Value, Map<string, Value>>();
  #name = "";

  /** An emitter of a model's main graph; `file` is for messages. */
  constructor(graph: Graph, file: string, outer: Emitter | null = null) {
    this.graph = graph;
    this.#outer = outer;
    const tally = { operators: 0, withoutNode: 0 };
    this.#shared = outer
      ? outer.#shared
      : { file, root: graph, constants: new WeakMap(), lists: new Map(), parts: 0, tally };
  }

  /** An emitter of a body of If, Loop or Scan: what this graph computed so far can be read in it. */
  body(name: string): Emitter {
    return new Emitter(new Graph(name, this.graph.names), this.#shared.file, this);
  }

  /** Whether this is a body of If or Loop. */
  get isBody(): boolean {
    return this.#outer !== null;
  }

  /** Takes back a body that nobody has got: what it read is free of it again. */
  discard(): void {
    this.graph.setOutputs([]);
    for (const node of [...this.graph.nodes].reverse()) this.graph.remove(node);
    for (const input of [...this.graph.inputs]) this.graph.removeInput(input);
  }

  /** Everything that is emitted meanwhile is called like this operator of the source. */
  named<T>(name: string, make: () => T): T {
    const before = this.#name;
    this.#name = name;
    try {
      return make();
    } finally {
      this.#name = before;
    }
  }

  /** As `named`, for one operator of the source, which is counted: those that are computed here, or only name what is there, leave no node. */
  operator<T>(name: string, make: () => T): T {
    const before = this.#shared.parts;
    const made = this.named(name, make);
    this.#shared.tally.operators++;
    if (this.#shared.parts === before) this.#shared.tally.withoutNode++;
    return made;
  }

  /** What was counted so far. */
  get tally(): Readonly<Shared["tally"]> {
    return this.#shared.tally;
  }

  /** The operator of the source that is being written, for messages. */
  get name(): string {
    return this.#name;
  }

  /** What cannot be had: reported with the operator's name. */
  fail(problem: string, hint?: string): AvocetError {
    return new AvocetError("import/unsupported-operator", problem, {
      at: this.#name ? `${this.#shared.file}: ${this.#name}` : this.#shared.file,
      ...(hint ? { hint } : {}),
    });
  }

  /** A file that contradicts itself. */
  broken(problem: string): AvocetError {
    const at = this.#name ? `${this.#shared.file}: ${this.#name}` : this.#shared.file;
    return new AvocetError("import/malformed", problem, { at });
  }

  /**
   * A graph input. The source's shape is kept, unless `channelsFirst` asks for images as ONNX has them: then inputs of rank 4
   * and 5 are [batch, channels, …] of the same name.
   */
  input(name: string, dtype: DType, shape: readonly Dim[], options: { readonly channelsFirst?: boolean } = {}): Term {
    const order = options.channelsFirst && shape.length >= 4 ? channelsFirst(shape.length) : sourceOrder(shape.length);
    const type = tensorType(
      dtype,
      order.map((axis) => shape[axis]!),
    );
    const value = this.graph.addInput(this.graph.names.spare(name), type);
    return { dtype, shape, order, value };
  }

  /** A graph output in the source's order, under this name. */
  output(name: string, term: Term): void {
    let value = this.value(term);
    // The name belongs to the output; an input, a constant, or what is an output already passes through an Identity.
    if (value.producer?.graph !== this.graph || value.isGraphOutput) value = this.node("Identity", [value]).output;
    if (value.name !== name) {
      const holder = this.graph.names.has(name) ? this.graph.valuesByName().get(name) : undefined;
      if (holder && !holder.isGraphInput && !holder.isGraphOutput)
        this.#rename(holder, () => this.graph.setAside(holder));
      this.#rename(value, () => this.graph.renameLike(value, name));
    }
    value.type = tensorType(term.dtype, term.shape);
    this.graph.addOutput(value);
  }

  /** A node keeps the name of its first output, which nobody else has. */
  #rename(value: Value, rename: () => void): void {
    const node = value.producer;
    const follows = node !== null && node.output === value;
    rename();
    if (follows) node.name = value.name;
  }

  /** An input of a body: by place, so that the name is a hint. */
  parameter(name: string, dtype: DType, shape: readonly Dim[]): Term {
    return this.term(this.graph.addInput(this.graph.names.spare(name), tensorType(dtype, shape)), dtype, shape);
  }

  /** An output of a body: by place, in the source's order. */
  result(term: Term): void {
    const value = this.value(term);
    // What comes from outside, and what stands here twice, passes through an Identity.
    const own = value.producer?.graph === this.graph && !value.isGraphOutput;
    const made = own ? value : this.node("Identity", [value]).output;
    made.type ??= tensorType(term.dtype, term.shape);
    this.graph.addOutput(made);
  }

  /** Data as a term; small numbers are known to what computes shapes. */
  constant(tensor: Tensor): Term {
    const content = tensor.size <= limits.knownElements && tensor.dtype !== "string" ? tensor.numbers() : undefined;
    const order = sourceOrder(tensor.shape.length);
    const known = content && { content };
    return { dtype: tensor.dtype, shape: tensor.shape, order, value: null, constant: tensor, ...known };
  }

  /** Plain numbers as a constant; a single number without a shape is a scalar. */
  numbers(values: number | readonly number[], dtype: DType = "int64", shape?: readonly number[]): Term {
    const list = typeof values === "number" ? [values] : values;
    const lengths = shape ?? (typeof values === "number" ? [] : [list.length]);
    const key = `${dtype} ${lengths.join()} ${list.join()}`;
    const { lists } = this.#shared;
    const known = lists.get(key) ?? this.constant(Tensor.of(dtype, lengths, arrayOf(dtype, list)));
    if (list.length <= shortList) lists.set(key, known);
    return known;
  }

  /** A computed value as a term, with the lengths of the source's axes. */
  term(
    value: Value,
    dtype: DType,
    shape: readonly Dim[],
    order: Order = sourceOrder(shape.length),
    content?: Content,
  ): Term {
    const term = { dtype, shape, order, value, ...(content ? { content } : {}) };
    value.type ??= tensorType(dtype, storedShape(term));
    return term;
  }

  /** Inserts a node, named like the source's operator. */
  node(
    op: string,
    inputs: readonly (Value | null)[],
    attributes: Readonly<Record<string, AttributeLike>> = {},
    outputs = 1,
  ): Node {
    this.#shared.parts += 1 + inputs.length + outputs;
    if (this.#shared.parts > limits.graphParts) {
      throw new AvocetError(
        "import/too-large",
        `expected at most ${limits.graphParts} nodes, inputs and outputs, got more`,
        {
          at: this.#shared.file,
        },
      );
    }
    const name = this.#name || op.toLowerCase();
    const names = outputs === 1 ? [name] : Array.from({ length: outputs }, (_, i) => `${name}:${i}`);
    const node = addNode(this.graph, op, inputs, attributes, { outputs: names });
    // Names of values are unique in the model, and runtimes want names of nodes to be.
    node.name = node.output.name;
    return node;
  }

  /** The term's value with its axes in this order of the source's axes (default: the source's own). */
  value(term: Term, order: Order = sourceOrder(term.shape.length)): Value {
    if (term.constant) return this.initializer(transposedShape(term.constant, order), order);
    if (!term.value) throw new Error("internal: a term is either computed or constant");
    if (sameOrder(order, term.order)) return term.value;
    const perm = order.map((axis) => term.order.indexOf(axis));
    const key = perm.join();
    const known = this.#movedValue(term.value, key);
    if (known) return known;
    // Axes of length 1 move without any data: a Reshape needs all lengths but one, so a Transpose is the general form.
    const moved = addNode(
      this.graph,
      "Transpose",
      [term.value],
      { perm: [...perm] },
      { output: `${term.value.name}/order_${perm.join("")}` },
    ).output;
    moved.type = tensorType(
      term.dtype,
      order.map((axis) => term.shape[axis]!),
    );
    const all = this.#moved.get(term.value) ?? new Map<string, Value>();
    this.#moved.set(term.value, all.set(key, moved));
    return moved;
  }

  #movedValue(value: Value, key: string): Value | undefined {
    const own = this.#moved.get(value)?.get(key);
    return own || !this.#outer ? own : this.#outer.#movedValue(value, key);
  }

  /** The term with its axes stored in this order. */
  inOrder(term: Term, order: Order): Term {
    if (term.constant || sameOrder(term.order, order)) return term;
    return { ...term, value: this.value(term, order), order };
  }

  /** An initializer of a constant, moved and reshaped: one for each form that is read. `what.shape` is the shape after the move. */
  initializer(what: Arranged, order: Order): Value {
    const { tensor, shape } = what;
    const all = this.#shared.constants.get(tensor) ?? new Map<string, Value>();
    this.#shared.constants.set(tensor, all);
    const key = `${order.join()} ${shape.join()}`;
    const known = all.get(key);
    if (known) return known;
    const value = this.#shared.root.addInitializer(
      constantNames.get(tensor) ?? (this.#name ? `${this.#name}/constant` : "constant"),
      transposed(tensor, order).reshape(shape),
    );
    all.set(key, value);
    return value;
  }

  /** A vector of whole numbers as an input of a node (axes, pads, shapes). */
  ints(values: readonly number[]): Value {
    return this.value(this.numbers(values));
  }
}

interface Arranged {
  readonly tensor: Tensor;
  readonly shape: readonly number[];
}

function transposedShape(tensor: Tensor, order: Order): Arranged {
  return { tensor, shape: order.map((axis) => tensor.shape[axis]!) };
}

/** What constants are called in the source, so that weights keep their names. */
const constantNames = new WeakMap<Tensor, string>();

/** Names the initializer that this constant will become. */
export function nameConstant(tensor: Tensor, name: string): Tensor {
  constantNames.set(tensor, name);
  return tensor;
}
