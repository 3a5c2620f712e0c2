/**
 * Damage that knows graphs: operators, attributes, inputs and outputs left out or swapped, values, lengths, types, names,
 * bodies, functions. What comes out is linked as a model must be; only what it says is odd.
 */
import type { Random } from "../../src/base/inner.ts";
import { type Attribute, absorb, type Dim, type Graph, type Model, type Node, type Value } from "../../src/ir/inner.ts";
import { attributesAt, isOpType, ops } from "../../src/ops/inner.ts";
import { type DType, Tensor } from "../../src/tensor/inner.ts";

const integers = [
  -(2 ** 31),
  -65,
  -64,
  -8,
  -4,
  -3,
  -2,
  -1,
  0,
  1,
  2,
  3,
  4,
  5,
  7,
  8,
  16,
  63,
  64,
  100,
  1000,
  65536,
  1e8,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 40,
];
const floats = [0, -0, 1, -1, 0.5, 1e-30, 1e30, 3.4e38, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
const dtypes: readonly DType[] = [
  "float32",
  "float64",
  "float16",
  "int64",
  "int32",
  "int8",
  "uint8",
  "bool",
  "string",
  "int4",
  "uint64",
];
const opNames = Object.keys(ops).filter((name) => !name.includes("."));

const pick = <T>(list: readonly T[], random: Random): T => list[random.integer(list.length)]!;

/** Damages the model in place, one to three times. `others` lend graphs that are joined to this one. */
export function mutateGraph(model: Model, random: Random, others: readonly Model[]): void {
  for (let count = 1 + random.integer(3); count > 0; count--) damage(model, random, others);
}

function damage(model: Model, random: Random, others: readonly Model[]): void {
  const graphs = [...everyGraph(model)];
  const graph = pick(graphs, random);
  const nodes = [...graph.nodes];
  const node = nodes.length > 0 ? pick(nodes, random) : undefined;
  switch (random.integer(16)) {
    case 0:
      if (node) rebuild(node, { op: pick(opNames, random) });
      return;
    case 1:
    case 2:
      if (node) damageAttribute(node, random, model.opset);
      return;
    case 3:
      if (node && node.inputs.length > 0) graph.setInput(node, random.integer(node.inputs.length), null);
      return;
    case 4:
    case 5: {
      // Values of outer graphs are left alone: what is read must come before.
      const values = [...graph.inputs, ...graph.initializers, ...before(graph, node).flatMap((n) => n.outputs)];
      const value = values.filter((v) => v.name !== "");
      if (node && value.length > 0) graph.setInput(node, random.integer(node.inputs.length + 2), pick(value, random));
      return;
    }
    case 6:
      if (node) rebuild(node, { outputs: Math.max(0, node.outputs.length + pick([-1, 1, 2], random)) });
      return;
    case 7:
    case 8:
      damageConstant(graph, random);
      return;
    case 9:
    case 10:
      damageType(pick([...graph.values()], random), random);
      return;
    case 11:
      if (node && node.outputs.length > 0)
        graph.setOutputs([...graph.outputs, node.outputs[0]!].filter((v) => v.name !== ""));
      return;
    case 12:
      if (graph.outputs.length > 1) graph.setOutputs(graph.outputs.slice(1));
      else if (node?.outputs[0]?.name && graph === model.graph) graph.setOutputs([node.outputs[0]]);
      return;
    case 13:
      model.opsets.set("", pick([1, 6, 7, 9, 10, 11, 12, 13, 17, 18, 20, 21, 23, 26, 27, 2 ** 40], random));
      return;
    case 14:
      if (node)
        node.metadata.set(pick(["avocet.batch-norm", "x"], random), pick(["", "{", "null", '{"gamma":1}'], random));
      if (graph === model.graph) append(model, pick(others, random), random);
      return;
    default:
      addSpelledNode(model, random);
  }
}

function* everyGraph(model: Model): Iterable<Graph> {
  const walk = function* (graph: Graph): Iterable<Graph> {
    yield graph;
    for (const node of graph.nodes) for (const body of node.subgraphs()) yield* walk(body);
  };
  yield* walk(model.graph);
  for (const made of model.functions) yield* walk(made.body);
}

function before(graph: Graph, node: Node | undefined): Node[] {
  const found: Node[] = [];
  for (const other of graph.nodes) {
    if (other === node) break;
    found.push(other);
  }
  return found;
}

/** The same node with another operator or another number of outputs; outputs that go are replaced by a graph input. */
function rebuild(node: Node, change: { readonly op?: string; readonly outputs?: number }): void {
  const graph = node.graph!;
  const count = change.outputs ?? node.outputs.length;
  const made = graph.insert(
    {
      op: change.op ?? node.op,
      domain: change.op ? "" : node.domain,
      name: node.name,
      inputs: node.inputs,
      outputs: Array.from({ length: count }, (_, i) => `${node.outputs[i]?.name ?? "more"}_m`),
      attributes: node.attributes,
    },
    { before: node },
  );
  node.outputs.forEach((old, i) => {
    const next = made.outputs[i] ?? made.outputs[0] ?? graph.inputs[0];
    if (old.name === "" || old.useCount === 0) return;
    if (next) graph.replaceUses(old, next);
  });
  if (node.outputs.every((value) => value.useCount === 0)) graph.remove(node);
  else if (made.outputs.every((value) => value.useCount === 0)) graph.remove(made);
}

function damageAttribute(node: Node, random: Random, opset: number): void {
  const known = isOpType(node.opName)
    ? Object.entries(attributesAt(ops[node.opName], Math.max(7, Math.min(opset, 26))))
    : [];
  const names = [...node.attributes.keys()];
  if (names.length > 0 && random.integer(4) === 0) {
    node.attributes.delete(pick(names, random));
    return;
  }
  const all = [...known.map(([name]) => name), ...names];
  if (all.length === 0) return;
  const name = pick(all, random);
  const type =
    random.integer(8) === 0
      ? "int"
      : (node.attributes.get(name)?.type ?? known.find(([n]) => n === name)?.[1].type ?? "int");
  const old = node.attributes.get(name);
  const made = attribute(type, old, random);
  if (made) node.attributes.set(name, made);
}

function attribute(type: string, old: Attribute | undefined, random: Random): Attribute | undefined {
  switch (type) {
    case "int":
      return { type, value: pick(integers, random) };
    case "ints": {
      const before = old?.type === "ints" ? [...old.value] : [];
      const value =
        before.length > 0
          ? before.map((v) => (random.integer(2) ? v : pick(integers, random)))
          : [pick(integers, random), pick(integers, random)];
      if (random.integer(4) === 0) value.push(pick(integers, random));
      return { type, value: random.integer(8) === 0 ? [] : value };
    }
    case "float":
      return { type, value: pick(floats, random) };
    case "floats":
      return { type, value: Array.from({ length: random.integer(5) }, () => pick(floats, random)) };
    case "string":
      return {
        type,
        value: pick(
          ["", "x", "SAME_UPPER", "VALID", "reverse", "bidirectional", "linear", "ij,jk->ik", "i->", "...->..."],
          random,
        ),
      };
    case "strings":
      return { type, value: ["", "Tanh", "Relu"].slice(random.integer(3)) };
    case "tensor":
      return { type, value: tensor(old?.type === "tensor" ? old.value : Tensor.int64([1], [1]), random) };
    default:
      return undefined;
  }
}

function damageConstant(graph: Graph, random: Random): void {
  const constants = [...graph.initializers];
  if (constants.length === 0) return;
  const value = pick(constants, random);
  const made = graph.addInitializer(`${value.name}_m`, tensor(value.initializer!, random));
  graph.replaceUses(value, made, () => random.integer(4) > 0);
}

/** Other elements, another shape or another type, never more than a few thousand elements. */
function tensor(old: Tensor, random: Random): Tensor {
  const size = Math.min(old.size, 4096);
  const kind = random.integer(4);
  if (kind === 0) {
    const shape = pick([[], [0], [1], [size], [1, size], [size, 1], [1, 1, size], [2, 0], [2, 2], [3]], random);
    return filled(old.dtype, shape, random);
  }
  if (kind === 1) return filled(pick(dtypes, random), size === old.size ? old.shape : [size], random);
  return size === old.size ? filled(old.dtype, old.shape, random, old) : filled(old.dtype, [size], random);
}

function filled(dtype: DType, shape: readonly number[], random: Random, old?: Tensor): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  const whole = dtype === "int64" || dtype === "int32";
  try {
    const kept = old && dtype !== "string" ? old.numbers() : undefined;
    const numbers = Array.from({ length: size }, (_, i) => {
      if (kept && random.integer(3) > 0) return kept[i]!;
      return whole ? pick(integers, random) : pick([...floats, ...integers], random);
    });
    if (dtype === "int64") return Tensor.int64(shape, numbers.map(Math.trunc));
    if (dtype === "int32") return Tensor.of(dtype, shape, Int32Array.from(numbers));
    if (dtype === "float32") return Tensor.float32(shape, numbers);
    if (dtype === "float64") return Tensor.of(dtype, shape, Float64Array.from(numbers));
    if (dtype === "string") return Tensor.of(dtype, shape, numbers.map(String));
    if (dtype === "uint8" || dtype === "bool")
      return Tensor.of(
        dtype,
        shape,
        Uint8Array.from(numbers, (v) => v & 1),
      );
    if (dtype === "int8") return Tensor.of(dtype, shape, Int8Array.from(numbers));
  } catch {
    // Some kinds are not made from numbers.
  }
  return Tensor.float32(shape, new Array<number>(size).fill(1));
}

function damageType(value: Value | undefined, random: Random): void {
  if (!value || value.initializer) return;
  const { type } = value;
  if (!type || random.integer(6) === 0) {
    value.type = random.integer(3) === 0 ? undefined : { kind: "sequence", of: null };
    return;
  }
  if (type.kind !== "tensor") return;
  if (random.integer(4) === 0) {
    value.type = { ...type, dtype: pick(dtypes, random) };
    return;
  }
  const lengths: readonly Dim[] = [0, 1, 2, 3, 5, 16, 64, "N", "M", null, 2 ** 20, 2 ** 31, 2 ** 53];
  const shape = [...(type.shape ?? [])];
  if (shape.length > 0 && random.integer(3) > 0) shape[random.integer(shape.length)] = pick(lengths, random);
  else if (random.integer(2) === 0) shape.push(pick(lengths, random));
  else shape.shift();
  value.type = { ...type, shape: random.integer(10) === 0 ? null : shape };
}

/** The nodes of another model behind this one: its first input is one of our values. */
function append(model: Model, other: Model, random: Random): void {
  const values = [...model.graph.values()].filter((v) => v.name !== "" && !(v.initializer && v.isGraphInput));
  const inputs = other.graph.inputs;
  if (values.length === 0 || other.functions.length > 0) return;
  const map = new Map<Value, Value | null>(inputs.map((input) => [input, pick(values, random)]));
  absorb(model.graph, other.graph, map);
  const results = other.graph.outputs.flatMap((output) => map.get(output) ?? []);
  model.graph.setOutputs([...model.graph.outputs, ...results]);
}

/** A node of any operator, with as many inputs as its row says, at the end. */
function addSpelledNode(model: Model, random: Random): void {
  const { graph } = model;
  const op = pick(opNames, random);
  const row = ops[op as "Add"];
  const values = [...graph.values()].filter((v) => v.name !== "");
  if (values.length === 0) return;
  const inputs = row.inputs.map((name) => (name.endsWith("?") && random.integer(2) ? null : pick(values, random)));
  const node = graph.insert({
    op,
    inputs,
    outputs: row.outputs.filter((name) => !name.endsWith("?")).map((_, i) => `${op}_${i}`),
  });
  for (const [name, facts] of Object.entries(attributesAt(row, Math.max(7, Math.min(model.opset, 26))))) {
    if (!facts.required && random.integer(4) > 0) continue;
    const made = attribute(facts.type, undefined, random);
    if (made) node.attributes.set(name, made);
  }
  if (node.outputs.length > 0) graph.setOutputs([...graph.outputs, node.outputs[0]!]);
}
