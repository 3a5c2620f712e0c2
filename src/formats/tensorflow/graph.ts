/** TensorFlow's graphs as the translation reads them: nodes with their inputs taken apart, attributes by name, functions by name. */
import { AvocetError } from "../../base/inner.ts";
import type { Dim, Whole } from "../../ir/inner.ts";
import type { DType, Tensor } from "../../tensor/inner.ts";
import type { Faults } from "../onnx/scope.ts";
import type { AttrEntry, AttrProto, FunctionProto, GraphProto, NodeProto } from "./schema.ts";
import { elementType, lengthsFromProto, tensorFromProto } from "./types.ts";

/** An output of a node: in functions by the name of an output argument and the place in it, else by number. */
export interface Reference {
  readonly node: string;
  readonly output: string | null;
  readonly index: number;
}

export interface SourceNode {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly Reference[];
  /** Nodes that come first without handing anything over. */
  readonly controls: readonly string[];
  readonly attributes: Attributes;
}

export interface SourceFunction {
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly Reference[];
  /** Nodes that run although nobody reads them: they write variables. */
  readonly controls: readonly string[];
  readonly nodes: ReadonlyMap<string, SourceNode>;
}

export interface SourceGraph {
  readonly nodes: ReadonlyMap<string, SourceNode>;
  readonly functions: ReadonlyMap<string, SourceFunction>;
}

/** What a node was given besides inputs. */
export class Attributes {
  readonly #all: ReadonlyMap<string, AttrProto>;
  readonly #where: string;

  constructor(entries: readonly AttrEntry[], where: string) {
    this.#all = new Map(entries.map(({ key = "", value }) => [key, value ?? emptyAttr]));
    this.#where = where;
  }

  has(name: string): boolean {
    return this.#all.has(name);
  }

  get(name: string): AttrProto | undefined {
    return this.#all.get(name);
  }

  string(name: string, fallback = ""): string {
    const bytes = this.#all.get(name)?.s;
    return bytes ? new TextDecoder().decode(bytes) : fallback;
  }

  strings(name: string): string[] {
    return (this.#all.get(name)?.list?.s ?? []).map((bytes) => new TextDecoder().decode(bytes));
  }

  int(name: string, fallback: number): number {
    const found = this.#all.get(name);
    return found?.i === undefined ? fallback : this.#whole(found.i, name);
  }

  ints(name: string, fallback: readonly number[] = []): readonly number[] {
    const list = this.#all.get(name)?.list;
    return list ? list.i.map((value) => this.#whole(value, name)) : fallback;
  }

  float(name: string, fallback: number): number {
    return this.#all.get(name)?.f ?? fallback;
  }

  flag(name: string, fallback = false): boolean {
    const found = this.#all.get(name);
    return found?.b === undefined ? fallback : found.b !== 0;
  }

  /** An element type; throws `import/unsupported-type` where it is none that tensors have. */
  type(name: string, fallback?: DType): DType {
    if (fallback !== undefined && this.#all.get(name)?.type === undefined) return fallback;
    return elementType(this.#all.get(name)?.type, `${this.#where}, ${name}`);
  }

  shape(name: string): readonly Dim[] | undefined {
    return lengthsFromProto(this.#all.get(name)?.shape, `${this.#where}, ${name}`);
  }

  tensor(name: string): Tensor {
    const found = this.#all.get(name)?.tensor;
    if (found) return tensorFromProto(found, this.#where);
    throw new AvocetError("import/malformed", `expected a tensor as ${name}, got none`, { at: this.#where });
  }

  /** The name of a function. */
  func(name: string): string {
    return this.#all.get(name)?.func?.name ?? "";
  }

  #whole(value: Whole, name: string): number {
    if (typeof value === "number") return value;
    throw new AvocetError("import/malformed", `expected a number that can be counted to as ${name}, got ${value}`, {
      at: this.#where,
    });
  }
}

const emptyAttr: AttrProto = {};

/** The graph of a file; what names twice or nothing goes into `faults`. */
export function graphFromProto(proto: GraphProto, file: string, faults: Faults): SourceGraph {
  const functions = new Map<string, SourceFunction>();
  for (const one of proto.library?.function ?? []) {
    const made = functionFromProto(one, file, faults);
    if (functions.has(made.name)) faults.add(`the function ${made.name} is there twice`);
    functions.set(made.name, made);
  }
  return { nodes: nodesFromProto(proto.node, file, faults, false), functions };
}

function functionFromProto(proto: FunctionProto, file: string, faults: Faults): SourceFunction {
  const name = proto.signature?.name ?? "";
  const returned = new Map(proto.ret.map(({ key = "", value = "" }) => [key, value]));
  const outputs = (proto.signature?.output ?? []).map(({ name: output = "" }) => {
    const from = returned.get(output);
    if (from === undefined) faults.add(`the function ${name} does not say what its output ${output} is`);
    return reference(from ?? "", true);
  });
  return {
    name,
    inputs: (proto.signature?.input ?? []).map((arg) => arg.name ?? ""),
    outputs,
    controls: proto.controlRet.map(({ value = "" }) => value),
    nodes: nodesFromProto(proto.node, `${file}: function ${name}`, faults, true),
  };
}

function nodesFromProto(
  list: readonly NodeProto[],
  where: string,
  faults: Faults,
  inFunction: boolean,
): Map<string, SourceNode> {
  const nodes = new Map<string, SourceNode>();
  for (const { name = "", op = "", input, attr } of list) {
    if (nodes.has(name) || name === "")
      faults.add(name === "" ? `a node ${op} has no name` : `two nodes are called ${name}`);
    const data = input.filter((text) => !text.startsWith("^"));
    const controls = input.filter((text) => text.startsWith("^")).map((text) => text.slice(1));
    const inputs = data.map((text) => reference(text, inFunction));
    nodes.set(name, { name, op, inputs, controls, attributes: new Attributes(attr, `${where}: ${name}`) });
  }
  return nodes;
}

/** `node`, `node:1`, or in functions `argument`, `node:output`, `node:output:1`. */
export function reference(text: string, inFunction: boolean): Reference {
  const [node = "", second, third] = text.split(":");
  if (!inFunction) return { node, output: null, index: second === undefined ? 0 : indexOf(second) };
  return { node, output: second ?? null, index: third === undefined ? 0 : indexOf(third) };
}

/** What is no number names no output. */
const indexOf = (text: string): number => (/^\d{1,9}$/.test(text) ? Number(text) : -1);
