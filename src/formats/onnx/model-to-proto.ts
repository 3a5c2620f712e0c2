/** Model → ModelProto. References become names again; what two values would share a name for is found here. */
import { AvocetError } from "../../base/inner.ts";
import type { Graph, Model, ModelFunction, Node, Value } from "../../ir/inner.ts";
import type { Tensor } from "../../tensor/inner.ts";
import { attributeToProto } from "./attribute-to-proto.ts";
import { entriesOf } from "./entries.ts";
import { untyped } from "./extras.ts";
import type { FunctionProto, GraphProto, ModelProto, NodeProto, OperatorSetProto, ValueInfoProto } from "./schema.ts";
import { type ExternalPlace, tensorToProto } from "./tensor-to-proto.ts";
import { typeToProto } from "./type-proto.ts";

/** Where each initializer's bytes go; undefined: into the model file. */
export type Placement = (tensor: Tensor) => ExternalPlace | undefined;

/** Throws `graph/invalid` when a name would not lead back to its value. */
export function modelToProto(model: Model, placement: Placement): ModelProto {
  const out = new Writing(model, placement);
  const { docString, unknownFields } = model;
  return {
    irVersion: model.irVersion,
    producerName: model.producerName,
    producerVersion: model.producerVersion,
    ...(model.domain ? { domain: model.domain } : {}),
    modelVersion: model.modelVersion,
    ...(docString === undefined ? {} : { docString }),
    graph: out.graph(model.graph, null),
    opsetImport: opsetsToProto(model.opsets),
    metadata: entriesOf(model.metadata),
    trainingInfo: [...model.trainingInfo],
    functions: model.functions.map((f) => out.functionProto(f)),
    ...(unknownFields ? { unknown: unknownFields } : {}),
  };
}

function opsetsToProto(opsets: ReadonlyMap<string, number>): OperatorSetProto[] {
  return Array.from(opsets, ([domain, version]) => ({ domain, version }));
}

/** The names visible at one place of the file. */
class Names {
  readonly #outer: Names | null;
  readonly #values = new Map<string, Value>();

  constructor(outer: Names | null) {
    this.#outer = outer;
  }

  define(value: Value): boolean {
    const taken = this.#values.has(value.name);
    this.#values.set(value.name, value);
    return !taken;
  }

  find(name: string): Value | undefined {
    return this.#values.get(name) ?? this.#outer?.find(name);
  }
}

class Writing {
  readonly #model: Model;
  readonly #placement: Placement;

  constructor(model: Model, placement: Placement) {
    this.#model = model;
    this.#placement = placement;
  }

  graph(graph: Graph, outer: Names | null): GraphProto {
    const names = new Names(outer);
    for (const input of graph.inputs) this.#define(names, input, graph);
    const constants = [...graph.initializers];
    const listed = new Set(graph.inputs);
    for (const constant of constants) if (!listed.has(constant)) this.#define(names, constant, graph);
    const node = this.#nodes(graph, names);
    return {
      node,
      name: graph.name,
      initializer: constants.map((value) => {
        const tensor = value.initializer;
        if (!tensor) throw this.#invalid(`the initializer ${value.name} has no data`);
        return tensorToProto(tensor, value.name, this.#placement(tensor));
      }),
      ...(graph.docString === undefined ? {} : { docString: graph.docString }),
      input: graph.inputs.map(infoOf),
      output: this.#outputs(graph, names),
      valueInfo: notesOf(graph),
      sparseInitializer: [],
      metadata: entriesOf(graph.metadata),
      ...(graph.unknownFields ? { unknown: graph.unknownFields } : {}),
    };
  }

  functionProto(f: ModelFunction): FunctionProto {
    const names = new Names(null);
    for (const input of f.body.inputs) this.#define(names, input, f.body);
    if (f.body.initializers.size > 0) {
      throw this.#invalid(`the function ${f.name} has initializers, which ONNX functions cannot have`);
    }
    const node = this.#nodes(f.body, names);
    return {
      name: f.name,
      input: f.body.inputs.map((v) => v.name),
      output: this.#outputs(f.body, names).map((info) => info.name!),
      attribute: [...f.attributes],
      node,
      ...(f.docString === undefined ? {} : { docString: f.docString }),
      opsetImport: opsetsToProto(f.opsets),
      domain: f.domain,
      defaults: Array.from(f.defaults, ([name, value]) => attributeToProto(name, value, (g) => this.graph(g, null))),
      valueInfo: [...f.body.inputs, ...f.body.outputs].filter(isNoted).map(infoOf).concat(notesOf(f.body)),
      ...(f.overload ? { overload: f.overload } : {}),
      metadata: entriesOf(f.metadata),
      ...(f.unknownFields ? { unknown: f.unknownFields } : {}),
    };
  }

  #nodes(graph: Graph, names: Names): NodeProto[] {
    const protos: NodeProto[] = [];
    for (const node of graph.nodes) protos.push(this.#node(node, graph, names));
    return protos;
  }

  #node(node: Node, graph: Graph, names: Names): NodeProto {
    const input = node.inputs.map((value) => {
      if (!value) return "";
      if (names.find(value.name) === value) return value.name;
      throw this.#invalid(`${node} reads ${value.name}, which is not computed before it or not visible there`);
    });
    const attribute = Array.from(node.attributes, ([name, value]) =>
      attributeToProto(name, value, (body) => this.graph(body, names)),
    );
    for (const value of node.outputs) if (value.name !== "") this.#define(names, value, graph);
    return {
      input,
      output: node.outputs.map((value) => value.name),
      ...(node.name ? { name: node.name } : {}),
      opType: node.op,
      attribute,
      ...(node.docString === undefined ? {} : { docString: node.docString }),
      ...(node.domain ? { domain: node.domain } : {}),
      ...(node.overload ? { overload: node.overload } : {}),
      metadata: entriesOf(node.metadata),
      ...(node.unknownFields ? { unknown: node.unknownFields } : {}),
    };
  }

  #outputs(graph: Graph, names: Names): ValueInfoProto[] {
    return graph.outputs.map((value) => {
      if (names.find(value.name) === value) return infoOf(value);
      throw this.#invalid(`the output ${value.name} of graph ${graph.name} is never computed`);
    });
  }

  #define(names: Names, value: Value, graph: Graph): void {
    if (value.name === "") throw this.#invalid(`an input or initializer of graph ${graph.name} has no name`);
    if (!names.define(value)) throw this.#invalid(`two values of graph ${graph.name} are named ${value.name}`);
  }

  #invalid(problem: string): AvocetError {
    return new AvocetError("graph/invalid", `expected a graph that can be written, but ${problem}`, {
      ...(this.#model.source ? { at: this.#model.source } : {}),
    });
  }
}

/** What the file says about values that are neither inputs nor outputs. */
function notesOf(graph: Graph): ValueInfoProto[] {
  const said = new Set<Value>([...graph.inputs, ...graph.outputs]);
  const notes: ValueInfoProto[] = [];
  for (const value of graph.values()) if (!said.has(value) && isNoted(value)) notes.push(infoOf(value));
  return notes;
}

/** An initializer's type is its tensor's; it is worth a note only when there is more to say. */
function isNoted(value: Value): boolean {
  if (value.docString !== undefined || value.metadata.size > 0) return true;
  return !value.initializer && (value.type !== undefined || untyped.has(value));
}

function infoOf(value: Value): ValueInfoProto {
  const type = value.type ? typeToProto(value.type) : untyped.get(value);
  return {
    name: value.name,
    ...(type ? { type } : {}),
    ...(value.docString === undefined ? {} : { docString: value.docString }),
    metadata: entriesOf(value.metadata),
  };
}
