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

/** A deep copy of a graph; `map` receives original value → copy, and tells of captured values. */
export function cloneGraph(graph: Graph, names = new Names(), map = new Map<Value, Value>()): Graph {
  const copy = new Graph(graph.name, names);
  copy.docString = graph.docString;
  copy.unknownFields = graph.unknownFields;
  for (const [key, value] of graph.metadata) copy.metadata.set(key, value);
  for (const input of graph.inputs) {
    const made = names.has(input.name)
      ? copy.addInput(names.fresh(`${input.name}#`), input.type)
      : copy.addInput(input.name, input.type);
    describe(made, input, map);
    if (input.initializer) copy.setDefault(made, input.initializer);
  }
  absorb(copy, graph, map);
  copy.setOutputs(graph.outputs.map((value) => map.get(value) ?? value));
  return copy;
}

/**
 * Copies the nodes and constants of `from` into `into`. `map` says which values of `into` stand for the inputs of
 * `from`; it receives every other value. Names are made unique.
 */
export function absorb(into: Graph, from: Graph, map: Map<Value, Value>): void {
  for (const constant of from.initializers) {
    if (map.has(constant)) continue;
    describe(into.addInitializer(constant.name, constant.initializer!), constant, map);
  }
  for (const node of from.nodes) cloneNode(into, node, map);
}

function cloneNode(into: Graph, node: Node, map: Map<Value, Value>): void {
  const attributes = new Map<string, Attribute>();
  for (const [name, attribute] of node.attributes) {
    if (attribute.type === "graph")
      attributes.set(name, { type: "graph", value: cloneGraph(attribute.value, into.names, map) });
    else if (attribute.type === "graphs") {
      attributes.set(name, { type: "graphs", value: attribute.value.map((g) => cloneGraph(g, into.names, map)) });
    } else attributes.set(name, attribute);
  }
  const made = into.insert({
    op: node.op,
    domain: node.domain,
    overload: node.overload,
    name: node.name,
    inputs: node.inputs.map((value) => (value ? (map.get(value) ?? value) : null)),
    outputs: node.outputs.map((value) => value.name),
    attributes,
  });
  made.docString = node.docString;
  made.unknownFields = node.unknownFields;
  for (const [key, value] of node.metadata) made.metadata.set(key, value);
  node.outputs.forEach((value, i) => {
    describe(made.outputs[i]!, value, map);
  });
}

function describe(copy: Value, original: Value, map: Map<Value, Value>): void {
  copy.type = original.type;
  copy.docString = original.docString;
  for (const [key, value] of original.metadata) copy.metadata.set(key, value);
  map.set(original, copy);
}
