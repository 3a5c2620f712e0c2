/** The file that is being written: where nodes go, who reads what they return, which scales are shared, what is recorded. */
import {
  type Graph,
  type Model,
  type Node,
  type NodeSpec,
  type Place,
  tensorType,
  type Value,
} from "../../ir/inner.ts";
import { type Replacement, replaceNode } from "../../passes/inner.ts";
import { type DType, Tensor } from "../../tensor/inner.ts";
import type { Encoding } from "../grids/encoding.ts";
import { entriesByValue, type Plan, type PlanEntry } from "../plan/plan.ts";
import type { PackedMatrix } from "./packed-rows.ts";
import type { LoweringRecord } from "./record.ts";
import { clipEnds, endNames, scaleTensor, zeroPointTensor } from "./stored.ts";

/** Scale and zero point in the file; values that share an encoding share them. */
export interface StoredEncoding {
  readonly scale: Value;
  readonly zeroPoint: Value;
  /** The ends of a grid that is narrower than its integers. */
  readonly ends: readonly Value[];
}

/** A packed matrix in the file. */
export interface StoredMatrix {
  /** What holds the integers. */
  readonly constant: Value;
  /** The integers in the shape that was asked for: the constant, or a Reshape of it. */
  readonly stored: Value;
  /** Scales, and zero points where there are any. */
  readonly others: readonly Value[];
}

export class Draft {
  readonly graph: Graph;
  /** The version of the standard operators that the file has. */
  readonly opset: number;
  readonly entries: ReadonlyMap<string, PlanEntry>;
  readonly record: LoweringRecord;
  readonly #opsets: Map<string, number>;
  readonly #order: Map<Node, number>;
  readonly #stored = new Map<string, StoredEncoding>();
  readonly #packed: (Pick<PackedMatrix, "bytes" | "scales" | "zeroPoints"> & Omit<StoredMatrix, "stored">)[] = [];

  constructor({ graph, opset, opsets }: Model, plan: Plan, record: LoweringRecord) {
    this.graph = graph;
    this.opset = opset;
    this.entries = entriesByValue(plan);
    this.record = record;
    this.#opsets = opsets;
    this.#order = new Map([...graph.nodes].map((node, i) => [node, i]));
  }

  /** The value that had this name in the float model; undefined for a constant that is written already, with another one. */
  value(name: string): Value | undefined {
    return this.record.float(name);
  }

  /** Scale and zero point of a value; tied values share them as long as nobody gave one its own encoding. */
  store(
    entry: PlanEntry,
    encoding: Encoding,
    dtype: DType,
    shape: readonly number[],
    computedScale?: Value,
  ): StoredEncoding {
    const { scale, offset } = encoding;
    const key = `${entry.sharesEncodingOf ?? entry.value} ${scale[0]} ${offset[0]}`;
    const found = this.#stored.get(key);
    if (found) return found;
    const add = (name: string, tensor: Tensor) => this.constant(`${entry.value}_${name}`, tensor);
    const made = {
      scale: computedScale ?? add("scale", scaleTensor(encoding, shape)),
      zeroPoint: add("zero_point", zeroPointTensor(encoding, shape, dtype)),
      ends: entry.kind === "activation" ? clipEnds(encoding).map((end, i) => add(endNames[i]!, end)) : [],
    };
    this.#stored.set(key, made);
    return made;
  }

  constant(name: string, tensor: Tensor): Value {
    return this.graph.addInitializer(name, tensor);
  }

  /**
   * The constants of a packed matrix, named after the value. Of two with the same numbers (a table that is the weight of the head, too) the
   * file holds one, and the other reads it through a Reshape, which runtimes fold when they load it.
   */
  packed(name: string, shape: readonly number[], { bytes, scales, zeroPoints }: PackedMatrix): StoredMatrix {
    const same = (a: Tensor | undefined, b: Tensor | undefined) => (a && b ? equalBytes(a.bytes, b.bytes) : a === b);
    const found = this.#packed.find(
      (one) => same(one.scales, scales) && same(one.zeroPoints, zeroPoints) && equalBytes(one.bytes, bytes),
    );
    if (found) {
      const { constant, others } = found;
      if (constant.initializer!.shape.join() === shape.join()) return { constant, stored: constant, others };
      const lengths = this.constant(`${name}_shape`, Tensor.int64([shape.length], shape));
      const [first] = this.graph.nodes;
      const place = first ? { before: first } : undefined;
      return { constant, stored: this.insert("Reshape", [constant, lengths], `${name}_packed`, place).output, others };
    }
    const constant = this.constant(`${name}_packed`, Tensor.of("uint8", shape, bytes));
    const others = [this.constant(`${name}_scale`, scales)];
    if (zeroPoints) others.push(this.constant(`${name}_zero_point`, zeroPoints));
    this.#packed.push({ bytes, scales, ...(zeroPoints ? { zeroPoints } : {}), constant, others });
    return { constant, stored: constant, others };
  }

  /** A node with one output and integers as attributes. */
  insert(
    op: string,
    inputs: readonly Value[],
    output: string,
    place: Place | undefined,
    attributes: Readonly<Record<string, number>> = {},
    domain = "",
  ): Node {
    const spec: NodeSpec = {
      op,
      domain,
      name: `${output}_${op}`,
      inputs,
      outputs: [output],
      attributes: new Map(Object.entries(attributes).map(([key, value]) => [key, { type: "int", value }])),
    };
    return this.graph.insert(spec, place);
  }

  /**
   * Another node in the place of one, the names and readers of whose outputs it takes over. `before`: what was put in front of it to compute the
   * same with it.
   */
  replace(node: Node, replacement: Replacement, before: readonly Node[] = []): void {
    const place = this.#order.get(node);
    const outputs = node.outputs.map((output) => (output.name === "" ? undefined : output));
    const made = replaceNode(node, replacement);
    if (place !== undefined) this.#order.set(made, place);
    outputs.forEach((output, i) => {
      if (output) this.record.computes(output, made.outputs[i]!, [...before, made]);
    });
  }

  /** A node with several outputs right behind whoever gives a value, named after it. */
  insertBehind(op: string, value: Value, outputs: readonly string[]): Node {
    const [first] = this.graph.nodes;
    const place = value.producer ? { after: value.producer } : first ? { before: first } : undefined;
    const names = outputs.map((output) => `${value.name}_${output}`);
    return this.graph.insert({ op, name: `${value.name}_${op}`, inputs: [value], outputs: names }, place);
  }

  /** The file uses operators of another domain, in this version at least. */
  needs(domain: string, version: number): void {
    this.#opsets.set(domain, Math.max(version, this.#opsets.get(domain) ?? 0));
  }

  /**
   * Everybody who read the value reads what the last of the nodes returns, but for those that the plan leaves the float; a graph
   * output keeps its name. Returns that node.
   */
  putBehind(
    { value: planned, floatReaders = [] }: PlanEntry,
    value: Value,
    build: (place: Place | undefined) => readonly [Node, Node],
  ): Node {
    const producer = value.producer;
    const [first] = this.graph.nodes;
    const inFloat = new Set(floatReaders.map((name) => this.record.float(name)?.producer));
    const staysOutput = floatReaders.includes(planned);
    const [head, tail] = build(producer ? { after: producer } : first ? { before: first } : undefined);
    tail.output.type = value.type;
    const { name, isGraphOutput } = value;
    this.graph.replaceUses(value, tail.output, (use) =>
      "node" in use ? use.node !== head && !inFloat.has(use.node) : !staysOutput,
    );
    if (isGraphOutput && value.name !== name) this.graph.renameLike(value, `${name}_float`);
    return tail;
  }

  /** The readers of a constant read what the node returns instead, and the float data goes. */
  adopt({ value: planned }: PlanEntry, value: Value, node: Node): void {
    node.output.type = tensorType("float32", value.initializer!.shape);
    this.graph.replaceUses(value, node.output);
    this.discard(planned, value);
  }

  /** Removes a constant that nobody reads any more. */
  discard(planned: string, value: Value): void {
    if (value.useCount > 0) return;
    this.graph.removeInitializer(value);
    this.record.drops(planned);
  }

  /** Removes an operator between two quantizers with its constants, and the DequantizeLinear in front of it, where nobody reads what they return any more. */
  dropUnread(node: Node, dequantize: Node): void {
    const unread = ({ output }: Node) => output.useCount === 0;
    if (!unread(node)) return;
    this.record.dropsFloat(node.output);
    const constants = node.inputs.filter((input) => input?.initializer);
    this.graph.remove(node);
    for (const constant of constants) this.discard(constant!.name, constant!);
    if (!unread(dequantize)) return;
    this.record.readsIntegers(dequantize.output);
    this.graph.remove(dequantize);
  }

  /** In front of the first node of this graph that reads the value, or that holds a body that does. */
  beforeReaders(value: Value): Place | undefined {
    let first: Node | undefined;
    for (const reader of value.consumers()) {
      let node = reader;
      while (node.graph!.parent) node = node.graph!.parent;
      // Nodes made here stand right before an original one, so the order of the originals decides.
      if (
        !first ||
        (this.#order.get(node) ?? Number.POSITIVE_INFINITY) < (this.#order.get(first) ?? Number.POSITIVE_INFINITY)
      )
        first = node;
    }
    return first ? { before: first } : undefined;
  }
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
