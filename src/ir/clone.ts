/** Copies of models and graphs: structure is copied, tensor data is shared (it is never written in place). */
import type { Attribute } from "./attribute.ts";
import { Graph, type Node, type Value } from "./graph.ts";
import { Model } from "./model.ts";
import { Names } from "./names.ts";

/** A deep copy of the structure that shares tensor data with the original. */
export function cloneModel(model: Model): Model {
  const copy = new Model(cloneGraph(model.graph), model.opsets);
  copy.irVersion = model.irVersion;
  copy.producerName = model.producerName;
  copy.producerVersion = model.producerVersion;
  copy.domain = model.domain;
  copy.modelVersion = model.modelVersion;
  copy.docString = model.docString;
  copy.trainingInfo = model.trainingInfo;
  copy.unknownFields = model.unknownFields;
  copy.source = model.source;
  for (const [key, value] of model.metadata) copy.metadata.set(key, value);
  for (const f of model.functions) copy.functions.push({ ...f, body: cloneGraph(f.body) });
  return copy;
}

/**
 * A deep copy of a graph, names included: sibling bodies of a file may repeat names, and so may their copies. `map`
 * receives original value → copy, and reports captured values.
 */
export function cloneGraph(graph: Graph, names = new Names(), map = new Map<Value, Value>()): Graph {
  return copyGraph(graph, names, map, true);
}

/** `keep`: values have exactly the names of the originals; else names are made unique. */
function copyGraph(graph: Graph, names: Names, map: Map<Value, Value | null>, keep: boolean): Graph {
  const copy = new Graph(graph.name, names);
  copy.docString = graph.docString;
  copy.unknownFields = graph.unknownFields;
  for (const [key, value] of graph.metadata) copy.metadata.set(key, value);
  for (const input of graph.inputs) {
    const made = copy.addInput(names.spare(input.name), input.type);
    if (keep) names.adopt(made, input.name);
    describe(made, input, map);
    if (input.initializer) copy.setDefault(made, input.initializer);
  }
  copyContent(copy, graph, map, keep);
  copy.setOutputs(graph.outputs.map((value) => map.get(value) ?? value));
  return copy;
}

/**
 * Copies the nodes and constants of `from` into `into`. `map` says which values of `into` stand for the inputs of
 * `from` (null: none, the input is left out); it receives every other value. Names are made unique, those of nodes too: ONNX Runtime refuses a graph in
 * which two nodes have the same one. `taken` holds the names of the nodes of `into`, for who absorbs often. Returns the new nodes.
 */
export function absorb(
  into: Graph,
  from: Graph,
  map: Map<Value, Value | null>,
  taken: Names = nodeNames(into),
): Node[] {
  const made = copyContent(into, from, map, false);
  for (const node of made) if (node.name !== "") node.name = taken.fresh(node.name);
  return made;
}

/** The names of the nodes of a graph. */
export function nodeNames(graph: Graph): Names {
  const names = new Names();
  for (const node of graph.nodes) if (node.name !== "") names.share(node.name);
  return names;
}

function copyContent(into: Graph, from: Graph, map: Map<Value, Value | null>, keep: boolean): Node[] {
  for (const constant of from.initializers) {
    if (map.has(constant)) continue;
    const made = into.addInitializer(constant.name, constant.initializer!);
    if (keep) into.names.adopt(made, constant.name);
    describe(made, constant, map);
  }
  return Array.from(from.nodes, (node) => copyNode(into, node, map, keep));
}

function copyNode(into: Graph, node: Node, map: Map<Value, Value | null>, keep: boolean): Node {
  const attributes = new Map<string, Attribute>();
  for (const [name, attribute] of node.attributes) {
    if (attribute.type === "graph")
      attributes.set(name, { type: "graph", value: copyGraph(attribute.value, into.names, map, keep) });
    else if (attribute.type === "graphs") {
      attributes.set(name, { type: "graphs", value: attribute.value.map((g) => copyGraph(g, into.names, map, keep)) });
    } else attributes.set(name, attribute);
  }
  const made = into.insert({
    op: node.op,
    domain: node.domain,
    overload: node.overload,
    name: node.name,
    inputs: node.inputs.map((value) => (value && map.has(value) ? map.get(value)! : value)),
    outputs: node.outputs.map((value) => value.name),
    attributes,
  });
  made.docString = node.docString;
  made.unknownFields = node.unknownFields;
  for (const [key, value] of node.metadata) made.metadata.set(key, value);
  node.outputs.forEach((value, i) => {
    if (keep && value.name) into.names.adopt(made.outputs[i]!, value.name);
    describe(made.outputs[i]!, value, map);
  });
  return made;
}

function describe(copy: Value, original: Value, map: Map<Value, Value | null>): void {
  copy.type = original.type;
  copy.docString = original.docString;
  for (const [key, value] of original.metadata) copy.metadata.set(key, value);
  map.set(original, copy);
}
