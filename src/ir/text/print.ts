/** Models and graphs to ONNX text (onnx/docs/Syntax.md): for tests, messages and eyes. `parse.ts` reads it back. */
import { expectArguments } from "../../base/inner.ts";
import { type DType, dtypes, type Tensor } from "../../tensor/inner.ts";
import type { Attribute, Whole } from "../attribute.ts";
import type { Graph, Node, Value } from "../graph.ts";
import type { Model, ModelFunction } from "../model.ts";
import type { Dim, ValueType } from "../types.ts";
import { printElements, printFloat32, spelled } from "./literal.ts";
import { attributeWords, isPlain, quote, spell, type ValueKind } from "./words.ts";

export interface PrintOptions {
  /** "elide" (default) writes `{...}` for tensors of more than 8 elements, "full" writes every element. */
  readonly tensors?: "elide" | "full";
}

const elideAbove = 8;
const lineWidth = 110;

/**
 * Writes a model. With "full" the text holds everything but doc strings and metadata of graphs, nodes and values,
 * training info and unknown fields, for which the syntax has no place.
 */
export function printModel(model: Model, options: PrintOptions = {}): string {
  expectArguments("printModel(model)", { model: [model, "model"] });
  const parts = [
    header([
      ["ir_version", String(model.irVersion)],
      ["opset_import", pairs([...model.opsets].map(([domain, version]) => [domain, String(version)]))],
      ["producer_name", model.producerName && quote(model.producerName)],
      ["producer_version", model.producerVersion && quote(model.producerVersion)],
      ["domain", model.domain && quote(model.domain)],
      ["model_version", model.modelVersion ? String(model.modelVersion) : ""],
      ["doc_string", model.docString ? quote(model.docString) : ""],
      ["metadata_props", metadata(model.metadata)],
    ]),
    printGraph(model.graph, options),
    ...model.functions.map((f) => printFunction(f, options)),
  ];
  return parts.join("\n");
}

/** Writes a graph alone. */
export function printGraph(graph: Graph, options: PrintOptions = {}): string {
  return new Printer(options).graph(graph, "");
}

function printFunction(f: ModelFunction, options: PrintOptions): string {
  const printer = new Printer(options);
  const attributes = [
    ...f.attributes.map(spell),
    ...[...f.defaults].map(([name, a]) => printer.attribute(name, a, "")),
  ];
  const head = header([
    ["domain", f.domain && quote(f.domain)],
    ["overload", f.overload && quote(f.overload)],
    ["opset_import", pairs([...f.opsets].map(([domain, version]) => [domain, String(version)]))],
    ["doc_string", f.docString ? quote(f.docString) : ""],
    ["metadata_props", metadata(f.metadata)],
  ]);
  const parameters = attributes.length > 0 ? ` <${attributes.join(", ")}>` : "";
  return `${head}\n${spell(f.name)}${parameters} ${printer.body(f.body, "")}`;
}

function header(entries: readonly (readonly [key: string, value: string])[]): string {
  return list(
    "<",
    entries.filter(([, value]) => value).map(([key, value]) => `${key}: ${value}`),
    ">",
    "",
  );
}

function pairs(entries: readonly (readonly [string, string])[]): string {
  return `[${entries.map(([key, value]) => `${quote(key)}: ${value}`).join(", ")}]`;
}

function metadata(entries: ReadonlyMap<string, string>): string {
  return entries.size > 0 ? pairs([...entries].map(([key, value]) => [key, quote(value)])) : "";
}

/** Items between brackets, on one line if they fit, else one a line. */
function list(open: string, items: readonly string[], close: string, indent: string): string {
  const line = `${open}${items.join(", ")}${close}`;
  if (indent.length + line.length <= lineWidth && !line.includes("\n")) return line;
  return `${open}\n${items.map((item) => `${indent}  ${item}`).join(",\n")}\n${indent}${close}`;
}

class Printer {
  readonly #elide: boolean;

  constructor({ tensors = "elide" }: PrintOptions) {
    this.#elide = tensors === "elide";
  }

  graph(graph: Graph, indent: string): string {
    return `${spell(graph.name)} ${this.body(graph, indent)}`;
  }

  /** Everything after the name. */
  body(graph: Graph, indent: string): string {
    const inputs = graph.inputs.map((value) => this.#constant(value));
    const outputs = graph.outputs.map((value) => declaration(value));
    const declared = this.#declared(graph);
    const signature = `${list("(", inputs, ")", indent)} => ${list("(", outputs, ")", indent)}`;
    const constants = declared.length > 0 ? `\n${indent}${list("<", declared, ">", indent)}\n${indent}` : " ";
    const nodes = [...graph.nodes].map((node) => `${indent}  ${this.#node(node, `${indent}  `)}\n`);
    return `${signature}${constants}{\n${nodes.join("")}${indent}}`;
  }

  /** Constants, then the types of computed values that are no outputs. */
  #declared(graph: Graph): string[] {
    const found: string[] = [];
    for (const value of graph.initializers) if (!graph.inputs.includes(value)) found.push(this.#constant(value));
    for (const node of graph.nodes) {
      for (const value of node.outputs) {
        if (value.name && value.type && !graph.outputs.includes(value)) found.push(declaration(value));
      }
    }
    return found;
  }

  #constant(value: Value): string {
    const { initializer: tensor } = value;
    if (!tensor) return declaration(value);
    return `${spelled(tensor.dtype, tensor.shape)} ${spell(value.name)} = ${this.#elements(tensor)}`;
  }

  #elements(tensor: Tensor): string {
    return this.#elide && tensor.size > elideAbove ? "{...}" : printElements(tensor);
  }

  #node(node: Node, indent: string): string {
    const label = node.name ? `[${isPlain(node.name) ? node.name : quote(node.name)}] ` : "";
    const outputs = node.outputs.map(reference).join(", ");
    const overload = node.overload ? `:${spell(node.overload)}` : "";
    const inputs = node.inputs.map(reference).join(", ");
    const attributes = [...node.attributes].map(([name, value]) => this.attribute(name, value, `${indent}  `));
    const suffix = attributes.length > 0 ? ` ${list("<", attributes, ">", indent)}` : "";
    return `${label}${outputs ? `${outputs} ` : ""}= ${operator(node)}${overload}(${inputs})${suffix}`;
  }

  attribute(name: string, attribute: Attribute, indent: string): string {
    const key = isPlain(name) ? name : quote(name);
    if (attribute.type === "opaque") return `${key} = ...`;
    if (attribute.type === "reference") {
      const word = attribute.of === "opaque" ? "" : `: ${attributeWords[attribute.of]}`;
      return `${key}${word} = @${isPlain(attribute.value) ? attribute.value : quote(attribute.value)}`;
    }
    const isEmpty = Array.isArray(attribute.value) && attribute.value.length === 0;
    return `${key}${isEmpty ? `: ${attributeWords[attribute.type]}` : ""} = ${this.#value(attribute, indent)}`;
  }

  #value(attribute: Extract<Attribute, { type: ValueKind }>, indent: string): string {
    switch (attribute.type) {
      case "float":
        return float(attribute.value);
      case "int":
        return String(attribute.value);
      case "string":
        return text(attribute.value);
      case "tensor":
        return this.#tensor(attribute.value);
      case "graph":
        return this.graph(attribute.value, indent);
      case "type":
        return printType(attribute.value);
      case "floats":
        return `[${attribute.value.map(float).join(", ")}]`;
      case "ints":
        return `[${attribute.value.map((v: Whole) => String(v)).join(", ")}]`;
      case "strings":
        return `[${attribute.value.map(text).join(", ")}]`;
      case "tensors":
        return `[${attribute.value.map((v) => this.#tensor(v)).join(", ")}]`;
      case "graphs":
        return `[${attribute.value.map((v) => this.graph(v, indent)).join(", ")}]`;
      case "types":
        return `[${attribute.value.map(printType).join(", ")}]`;
      default:
        return attribute satisfies never;
    }
  }

  #tensor(tensor: Tensor): string {
    return `${spelled(tensor.dtype, tensor.shape)} ${this.#elements(tensor)}`;
  }
}

function operator(node: Node): string {
  const op = isPlain(node.op) ? node.op : quote(node.op);
  if (!node.domain) return op;
  return `${node.domain.split(".").every(isPlain) ? node.domain : quote(node.domain)}.${op}`;
}

function reference(value: Value | null): string {
  return value?.name ? spell(value.name) : '""';
}

function declaration(value: Value): string {
  return value.type ? `${printType(value.type)} ${spell(value.name)}` : spell(value.name);
}

/** A float attribute: a point says that a whole number is a float. */
function float(x: number): string {
  const digits = printFloat32(x);
  return /^-?[0-9]+$/.test(digits) ? `${digits}.0` : digits;
}

function text(value: string | Uint8Array): string {
  if (typeof value === "string") return quote(value);
  return `bytes "${Array.from(value, (byte) => byte.toString(16).padStart(2, "0")).join("")}"`;
}

/** A type in ONNX text: "float[N,3]", "float" (a scalar), "float[]" (rank unknown), "seq(int64[1])" … */
export function printType(type: ValueType): string {
  switch (type.kind) {
    case "tensor":
      return tensorText(type.dtype, type.shape);
    case "sparse-tensor":
      return `sparse_tensor(${tensorText(type.dtype, type.shape)})`;
    case "sequence":
      return `seq(${type.of ? printType(type.of) : ""})`;
    case "optional":
      return `optional(${type.of ? printType(type.of) : ""})`;
    case "map":
      return `map(${dtypes[type.key].text}, ${type.of ? printType(type.of) : ""})`;
    default:
      return type satisfies never;
  }
}

function tensorText(dtype: DType, shape: readonly Dim[] | null): string {
  const { text: word } = dtypes[dtype];
  if (!shape) return `${word}[]`;
  return shape.length === 0 ? word : `${word}[${shape.map(dim).join(",")}]`;
}

function dim(length: Dim): string {
  if (typeof length === "string") return isPlain(length) ? length : quote(length);
  return length === null ? "?" : String(length);
}
