/** What a node has that its operator's row forbids: numbers of inputs and outputs, attributes, bodies. */
import type { Attribute, Node, Value } from "../ir/inner.ts";
import { valueFault } from "./attribute-limits.ts";
import type { AttributeFacts, OpSchema, Signature } from "./row.ts";
import { attributesAt, rowOf } from "./table.ts";
import { windowFaults } from "./window-faults.ts";

/** Standard operators of opsets before this one may have had other attributes than the rows state. */
const oldest = 7;
/** Newer versions may take and give more than the rows say, and hardly less. */
export const newest = 26;
const isOld = (node: Node, opset: number) => node.domain === "" && opset < oldest;

/** The faults of one node in a model of this opset (of the node's domain); none for operators without a row. */
export function* nodeFaults(node: Node, opset: number): Iterable<string> {
  const row = rowOf(node);
  if (!row) return;
  const faults = [...arityFaults(node, signatureAt(row, opset), opset > newest), ...attributeFaults(node, row, opset)];
  yield* faults;
  // What belongs together is only looked at where each part is sound.
  if (faults.length > 0) return;
  yield* togetherFaults(node, opset);
  yield* windowFaults(node, row);
}

/** The signature that is in force at an opset. */
function signatureAt(row: OpSchema, opset: number): Signature {
  return row.was?.find(({ until }) => opset <= until) ?? row;
}

function* arityFaults(node: Node, { inputs, outputs }: Signature, isNew: boolean): Iterable<string> {
  const takes = bounds(inputs);
  const gives = bounds(outputs);
  if (node.inputs.length > takes.most && !isNew)
    yield `expected at most ${many(takes.most, "input")}, got ${node.inputs.length}`;
  for (const [index, name] of inputs.entries()) {
    // A list may be empty behind other inputs; where it is all there is, its operator works on something.
    const needed = name.endsWith("*") ? index === 0 : !name.endsWith("?");
    if (needed && !node.input(index)) yield `expected the input ${name.replace("*", "")}, got none`;
  }
  if (inputs[0]?.endsWith("*")) {
    const absent = node.inputs.indexOf(null);
    if (absent > 0) yield `expected every input of a list, number ${absent + 1} is left out`;
  }
  if (node.outputs.length > gives.most && !isNew)
    yield `expected at most ${many(gives.most, "output")}, got ${node.outputs.length}`;
  const least = Math.max(gives.least, Math.min(1, outputs.length));
  if (node.outputs.length < least) yield `expected at least ${many(least, "output")}, got ${node.outputs.length}`;
}

function bounds(ports: readonly string[]): { least: number; most: number } {
  return {
    least: ports.findLastIndex((port) => !/[?*]$/.test(port)) + 1,
    most: ports.at(-1)?.endsWith("*") ? Number.POSITIVE_INFINITY : ports.length,
  };
}

const many = (n: number, what: string) => `${n} ${what}${n === 1 ? "" : "s"}`;

function* attributeFaults(node: Node, row: OpSchema, opset: number): Iterable<string> {
  for (const [name, facts] of Object.entries(factsAt(row, isOld(node, opset) ? oldest : opset))) {
    const given = node.attributes.get(name);
    if (!given) {
      if (facts.required && !isOld(node, opset)) yield `expected the attribute ${name}, got none`;
      continue;
    }
    const type = given.type === "reference" ? given.of : given.type;
    if (!isOld(node, opset) && !isOfType(given, facts.type)) {
      yield `expected the attribute ${name} of type ${facts.type}, got ${type}`;
      continue;
    }
    const fault = valueFault(node, name, given, facts.default);
    if (fault) yield fault;
  }
}

// Rows are few and nodes are many: the attributes of an opset are put together once.
const known = new WeakMap<OpSchema, Map<number, Record<string, AttributeFacts>>>();

function factsAt(row: OpSchema, opset: number): Record<string, AttributeFacts> {
  const ofRow = known.get(row) ?? new Map<number, Record<string, AttributeFacts>>();
  known.set(row, ofRow);
  const facts = ofRow.get(opset) ?? attributesAt(row, opset);
  ofRow.set(opset, facts);
  return facts;
}

function isOfType(given: Attribute, type: AttributeFacts["type"]): boolean {
  // A sparse tensor is kept as its bytes.
  if (given.type === "opaque") return type === "sparse";
  return (given.type === "reference" ? given.of : given.type) === type;
}

/** Bodies take and give what their node does; lists have the length of what they describe. */
function* togetherFaults(node: Node, opset: number): Iterable<string> {
  const bodies = [...node.attributes].flatMap(([name, a]) => (a.type === "graph" ? [{ name, body: a.value }] : []));
  for (const { name, body } of node.domain === "" ? bodies : []) {
    const [takes, gives] = bodyPorts(node, opset) ?? [];
    if (takes !== undefined && body.inputs.length !== takes)
      yield `expected ${many(takes, "input")} of ${name}, got ${body.inputs.length}`;
    if (gives !== undefined && body.outputs.length !== gives)
      yield `expected ${many(gives, "output")} of ${name}, got ${body.outputs.length}`;
  }
  if (node.op === "Split" && node.domain === "") {
    const lengths = node.ints("split")?.length ?? sizeOfConstant(node.input(1));
    const parts = lengths ?? node.int("num_outputs");
    if (parts !== undefined && parts !== node.outputs.length)
      yield `expected one output for each of its ${parts} parts, got ${node.outputs.length}`;
  }
}

/** How many inputs and outputs the body of a control flow node has. */
function bodyPorts(node: Node, opset: number): [number | undefined, number | undefined] | undefined {
  const states = node.inputs.length;
  switch (node.op) {
    case "If":
      return [0, node.outputs.length];
    case "Loop":
      // Trip count and condition go in as the turn and the condition, the condition comes out.
      return [Math.max(states, 2), node.outputs.length + 1];
    case "Scan":
      return [opset < 9 ? states - 1 : states, node.outputs.length];
    default:
      return undefined;
  }
}

const sizeOfConstant = (value: Value | null): number | undefined => value?.initializer?.size;
