/** GraphProto → Graph: names become references, scope by scope; what is unsorted or unknown is found here. */
import { Graph, Value } from "../../ir/inner.ts";
import { Decoding, decode } from "../protobuf/decode.ts";
import { bytesOf, encode } from "../protobuf/encode.ts";
import { attributeFromProto } from "./attribute-from-proto.ts";
import type { Reading } from "./context.ts";
import { fillMap } from "./entries.ts";
import { untyped } from "./extras.ts";
import { attributeType, type GraphProto, type NodeProto, sparseTensorType, type ValueInfoProto } from "./schema.ts";
import type { Scope } from "./scope.ts";
import { tensorFromProto } from "./tensor-from-proto.ts";
import { typeFromProto } from "./type-proto.ts";

/** Fills a graph. `outer` is the scope of the node whose body this is. Faults are collected in the scope's list. */
export function fillGraph(graph: Graph, proto: GraphProto, reading: Reading, outer: Scope): void {
  const scope = outer.inside(graph);
  graph.docString = proto.docString;
  graph.unknownFields = proto.unknown;
  fillMap(graph.metadata, proto.metadata);
  reading.count(proto.input.length + proto.initializer.length);
  for (const info of proto.input) {
    const value = scope.addInput(info.name ?? "");
    if (value) describe(value, info, reading);
  }
  for (const constant of proto.initializer) {
    const name = constant.name ?? "";
    const tensor = tensorFromProto(constant, reading, `initializer ${name}`);
    const input = scope.ownInput(name);
    // Files before IR version 4 list every initializer among the inputs; later ones do it for defaults.
    if (input) {
      if (input.initializer) scope.fault(`the initializer ${name} is given twice`);
      graph.setDefault(input, tensor);
    } else scope.addInitializer(name, tensor);
  }
  for (const sparse of proto.sparseInitializer) addSparse(sparse, reading, scope);
  fillNodes(proto.node, reading, scope);
  finish(graph, proto.output, proto.valueInfo, reading, scope);
}

/** The nodes of a graph or of a function body, in the order of the file. */
export function fillNodes(nodes: readonly NodeProto[], reading: Reading, scope: Scope): void {
  const later = new Set<string>();
  for (const node of nodes) for (const name of node.output) later.add(name);
  for (const proto of nodes) addNode(proto, reading, scope, later);
}

function addNode(proto: NodeProto, reading: Reading, scope: Scope, later: ReadonlySet<string>): void {
  reading.count(1 + proto.input.length + proto.output.length);
  const { graph } = scope;
  const label = nodeLabel(proto);
  if (!proto.opType) scope.fault(`${label} has no operator type`);
  const attributes = new Map();
  for (const one of proto.attribute) {
    const name = one.name ?? "";
    if (attributes.has(name)) scope.fault(`${label} has the attribute ${name} twice`);
    const body = (g: GraphProto): Graph => {
      const made = new Graph(g.name ?? "", graph.names);
      fillGraph(made, g, reading, scope);
      return made;
    };
    attributes.set(name, attributeFromProto(one, reading, label, body));
  }
  const inputs = proto.input.map((name) => {
    if (name === "") return null;
    const value = scope.find(name);
    if (!value) {
      scope.fault(
        later.has(name)
          ? `${label} reads ${name} before it is computed (the nodes are not sorted, or form a cycle)`
          : `${label} reads ${name}, which nothing computes`,
      );
    }
    return value;
  });
  const node = graph.insert({
    op: proto.opType ?? "",
    domain: standardDomain(proto.domain),
    overload: proto.overload ?? "",
    name: proto.name ?? "",
    inputs,
    outputs: proto.output.map((name) => (name === "" ? new Value("") : scope.define(name, label))),
    attributes,
  });
  node.docString = proto.docString;
  node.unknownFields = proto.unknown;
  fillMap(node.metadata, proto.metadata);
}

/** A sparse initializer says the same as a Constant node with `sparse_value`, which needs no place of its own. */
function addSparse(bytes: Uint8Array, reading: Reading, scope: Scope): void {
  const name = decode(sparseTensorType, bytes, new Decoding(reading.file), 1).values?.name ?? "";
  if (name === "") {
    scope.fault("a sparse initializer has no name");
    return;
  }
  reading.count(2);
  const attribute = { name: "sparse_value", type: 11, sparseTensor: bytes, ...noLists };
  const value = bytesOf(encode(attributeType, attribute));
  scope.graph.insert({
    op: "Constant",
    inputs: [],
    outputs: [scope.define(name, `sparse initializer ${name}`)],
    attributes: new Map([["sparse_value", { type: "opaque", value }]]),
  });
}

const noLists = { floats: [], ints: [], strings: [], tensors: [], graphs: [], typeProtos: [], sparseTensors: [] };

/** Outputs by name, and what the file says about values. */
export function finish(
  graph: Graph,
  outputs: readonly ValueInfoProto[],
  infos: readonly ValueInfoProto[],
  reading: Reading,
  scope: Scope,
): void {
  for (const info of infos) {
    // Exporters leave notes about values that they have since optimised away.
    const value = scope.own(info.name ?? "");
    if (value) describe(value, info, reading);
  }
  for (const info of outputs) {
    const name = info.name ?? "";
    const value = scope.find(name);
    if (value) {
      // An input that is returned as it is, or a captured value, has been described where it belongs.
      if (scope.own(name) && !scope.ownInput(name)) describe(value, info, reading);
      graph.addOutput(value);
    } else scope.fault(`the output ${name} of graph ${graph.name} is never computed`);
  }
}

function describe(value: Value, info: ValueInfoProto, reading: Reading): void {
  if (info.type) {
    const type = typeFromProto(info.type, reading, `value ${value.name}`);
    if (type) value.type = type;
    else if (!value.type) untyped.set(value, info.type);
  }
  if (info.docString !== undefined) value.docString = info.docString;
  fillMap(value.metadata, info.metadata);
}

/** "ai.onnx" is another name of the standard domain. */
export function standardDomain(domain: string | undefined): string {
  return domain === undefined || domain === "ai.onnx" ? "" : domain;
}

function nodeLabel(proto: NodeProto): string {
  const op = proto.opType || "a node";
  return proto.name ? `${op} ${proto.name}` : `${op} → ${proto.output[0] ?? "nothing"}`;
}
