/** What differs between two models, as plain data: interface, nodes, attributes and numbers, matched by names. */
import type { Tensor } from "../tensor/inner.ts";
import type { Attribute } from "./attribute.ts";
import type { Graph, Node, Value } from "./graph.ts";
import type { Model, ModelFunction } from "./model.ts";
import { printGraph, printType } from "./text/print.ts";

export interface ModelDifference {
  readonly kind: "opset" | "input" | "output" | "node" | "constant" | "function" | "metadata";
  readonly name: string;
  readonly change: "added" | "removed" | "changed";
  /** What it was and what it is, for people; empty where the name says it all. */
  readonly detail: string;
}

/**
 * The differences from `a` to `b`. Nodes are the same when they compute a value of the same name; what only their
 * order or their names tell apart is no difference. Numbers are compared bit by bit, and the largest distance is reported.
 */
export function diffModels(a: Model, b: Model): ModelDifference[] {
  const versions = (model: Model) => new Map([...model.opsets].map(([domain, v]) => [domain || "ai.onnx", `${v}`]));
  const found: ModelDifference[] = [
    ...diffTexts("opset", versions(a), versions(b)),
    ...diffTexts("metadata", a.metadata, b.metadata),
    ...diffTexts("input", portsOf(a.graph.inputs), portsOf(b.graph.inputs)),
    ...diffTexts("output", portsOf(a.graph.outputs), portsOf(b.graph.outputs)),
    ...diffOrder("input", a.graph.inputs, b.graph.inputs),
    ...diffOrder("output", a.graph.outputs, b.graph.outputs),
    ...diffNodes(a.graph, b.graph),
    ...diffConstants(a.graph, b.graph),
    ...diffTexts("function", functionsOf(a), functionsOf(b)),
  ];
  return found;
}

type Kind = ModelDifference["kind"];

function diffMaps<T>(
  kind: Kind,
  a: ReadonlyMap<string, T>,
  b: ReadonlyMap<string, T>,
  compare: (x: T, y: T) => string | null,
  show: (x: T) => string,
): ModelDifference[] {
  const found: ModelDifference[] = [];
  for (const [name, x] of a) {
    const y = b.get(name);
    if (y === undefined) found.push({ kind, name, change: "removed", detail: show(x) });
    else {
      const detail = compare(x, y);
      if (detail !== null) found.push({ kind, name, change: "changed", detail });
    }
  }
  for (const [name, y] of b) if (!a.has(name)) found.push({ kind, name, change: "added", detail: show(y) });
  return found;
}

function diffTexts(kind: Kind, a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): ModelDifference[] {
  // Bodies of functions are too long to be shown twice.
  const both = (x: string, y: string) => (kind === "function" ? "its body" : `${x} → ${y}`);
  return diffMaps(
    kind,
    a,
    b,
    (x, y) => (x === y ? null : both(x, y)),
    (x) => (kind === "function" ? "" : x),
  );
}

function diffOrder(kind: Kind, a: readonly Value[], b: readonly Value[]): ModelDifference[] {
  const [before, after] = [a.map((v) => v.name), b.map((v) => v.name)];
  const isPermuted = `${before}` !== `${after}` && `${before.toSorted()}` === `${after.toSorted()}`;
  return isPermuted
    ? [{ kind, name: "order", change: "changed", detail: `${before.join(", ")} → ${after.join(", ")}` }]
    : [];
}

function portsOf(values: readonly Value[]): Map<string, string> {
  return new Map(values.map(({ name, type }) => [name, type ? printType(type) : "?"]));
}

function functionsOf(model: Model): Map<string, string> {
  const textOf = (f: ModelFunction) => `${[...f.opsets]} ${f.attributes} ${printGraph(f.body, { tensors: "full" })}`;
  return new Map(model.functions.map((f) => [`${f.domain}.${f.name}${f.overload ? `:${f.overload}` : ""}`, textOf(f)]));
}

function diffNodes(a: Graph, b: Graph): ModelDifference[] {
  // A node without outputs is told apart by its name.
  const keyed = (graph: Graph) =>
    new Map([...graph.nodes].map((node) => [node.outputs.find((v) => v.name)?.name ?? node.name, node]));
  return diffMaps("node", keyed(a), keyed(b), diffNode, (node) => callOf(node));
}

function diffNode(a: Node, b: Node): string | null {
  const [before, after] = [callOf(a), callOf(b)];
  const faults = before === after ? [] : [`${before} → ${after}`];
  const names = (node: Node) => node.outputs.map((v) => v.name).join(", ");
  if (names(a) !== names(b)) faults.push(`outputs ${names(a)} → ${names(b)}`);
  for (const name of new Set([...a.attributes.keys(), ...b.attributes.keys()])) {
    const [x, y] = [textOf(a.attributes.get(name)), textOf(b.attributes.get(name))];
    if (x !== y) faults.push(`${name} ${short(x)} → ${short(y)}`);
  }
  return faults.length > 0 ? faults.join("; ") : null;
}

function callOf(node: Node): string {
  return `${node.opName}(${node.inputs.map((v) => v?.name ?? "").join(", ")})`;
}

function textOf(attribute: Attribute | undefined): string {
  if (!attribute) return "none";
  if (attribute.type === "graph") return printGraph(attribute.value, { tensors: "full" });
  if (attribute.type === "graphs") return attribute.value.map((g) => printGraph(g, { tensors: "full" })).join("\n");
  if (attribute.type === "tensor") return tensorText(attribute.value);
  if (attribute.type === "tensors") return attribute.value.map(tensorText).join(" ");
  return JSON.stringify(attribute.value, (_key, value) => (typeof value === "bigint" ? `${value}` : value));
}

function tensorText(tensor: Tensor): string {
  const data = tensor.dtype === "string" ? JSON.stringify(tensor.data) : `${tensor.bytes}`;
  return `${tensor.dtype}[${tensor.shape}] ${data}`;
}

function short(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function diffConstants(a: Graph, b: Graph): ModelDifference[] {
  const keyed = (graph: Graph) => new Map([...graph.initializers].map((value) => [value.name, value.initializer!]));
  return diffMaps("constant", keyed(a), keyed(b), diffTensors, (tensor) => `${tensor.dtype}[${tensor.shape}]`);
}

/** Says how far apart two tensors are; null when they are equal. Data that was not loaded before is forgotten again. */
function diffTensors(a: Tensor, b: Tensor): string | null {
  const [before, after] = [`${a.dtype}[${a.shape}]`, `${b.dtype}[${b.shape}]`];
  if (before !== after) return `${before} → ${after}`;
  try {
    if (a.dtype === "string") return `${a.data}` === `${b.data}` ? null : "other texts";
    if (sameBytes(a.bytes, b.bytes)) return null;
    const [x, y] = [a.numbers(), b.numbers()];
    let [count, most] = [0, 0];
    for (let i = 0; i < x.length; i++) {
      if (Object.is(x[i], y[i])) continue;
      count++;
      most = Math.max(most, Math.abs(x[i]! - y[i]!));
    }
    return `${count} of ${x.length} numbers, by at most ${most.toPrecision(4)}`;
  } finally {
    a.release();
    b.release();
  }
}

/** Word by word where the bytes lie so: weights of gigabytes are compared in seconds. */
function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  const isAligned = a.byteOffset % 4 === 0 && b.byteOffset % 4 === 0;
  const words = isAligned ? a.length >> 2 : 0;
  const [x, y] = [
    new Int32Array(a.buffer, words && a.byteOffset, words),
    new Int32Array(b.buffer, words && b.byteOffset, words),
  ];
  for (let i = 0; i < words; i++) if (x[i] !== y[i]) return false;
  for (let i = words * 4; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
