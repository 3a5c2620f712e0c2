/** ModelProto → Model. */
import { type Attribute, Graph, Model, type ModelFunction, type Whole } from "../../ir/inner.ts";
import { attributeFromProto } from "./attribute-from-proto.ts";
import type { Reading } from "./context.ts";
import { fillMap } from "./entries.ts";
import { fillGraph, fillNodes, finish, standardDomain } from "./graph-from-proto.ts";
import type { FunctionProto, GraphProto, ModelProto, OperatorSetProto } from "./schema.ts";
import { Faults, Scope } from "./scope.ts";

/** Links a decoded file. Throws `import/malformed` with the list of what does not fit together. */
export function modelFromProto(proto: ModelProto, reading: Reading): Model {
  if (!proto.graph) throw reading.error("import/malformed", "expected a model with a graph, got none");
  const faults = new Faults();
  const graph = new Graph(proto.graph.name ?? "");
  fillGraph(graph, proto.graph, reading, Scope.of(graph, faults));
  const model = new Model(graph, opsetsOf(proto.opsetImport, reading));
  for (const f of proto.functions) model.functions.push(functionFromProto(f, reading, faults));
  for (const fault of recursions(model.functions)) faults.add(fault);
  if (faults.count > 0) {
    const lines = faults.shown.map((fault) => `  ${fault}`);
    if (faults.count > lines.length) lines.push(`  and ${faults.count - lines.length} more`);
    throw reading.error("import/malformed", `the graph does not fit together:\n${lines.join("\n")}`);
  }
  model.irVersion = number(proto.irVersion ?? 0, "IR version", reading);
  model.producerName = proto.producerName ?? "";
  model.producerVersion = proto.producerVersion ?? "";
  model.domain = proto.domain ?? "";
  model.modelVersion = proto.modelVersion ?? 0;
  model.docString = proto.docString;
  model.trainingInfo = proto.trainingInfo;
  model.unknownFields = proto.unknown;
  model.source = reading.file;
  fillMap(model.metadata, proto.metadata);
  return model;
}

function functionFromProto(proto: FunctionProto, reading: Reading, faults: Faults): ModelFunction {
  const body = new Graph(proto.name ?? "");
  const scope = Scope.of(body, faults);
  for (const name of proto.input) scope.addInput(name);
  fillNodes(proto.node, reading, scope);
  const outputs = proto.output.map((name) => ({ name, metadata: [] }));
  finish(body, outputs, proto.valueInfo, reading, scope);
  const where = `function ${proto.name ?? ""}`;
  const noBody = (_: GraphProto): Graph => {
    throw reading.error("import/malformed", "expected a plain default of an attribute, got a graph", where);
  };
  const defaults = new Map<string, Attribute>();
  for (const one of proto.defaults) defaults.set(one.name ?? "", attributeFromProto(one, reading, where, noBody));
  return {
    name: proto.name ?? "",
    domain: standardDomain(proto.domain),
    overload: proto.overload ?? "",
    body,
    attributes: proto.attribute,
    defaults,
    opsets: opsetsOf(proto.opsetImport, reading),
    metadata: fillMap(new Map(), proto.metadata),
    ...(proto.docString === undefined ? {} : { docString: proto.docString }),
    ...(proto.unknown ? { unknownFields: proto.unknown } : {}),
  };
}

function opsetsOf(imports: readonly OperatorSetProto[], reading: Reading): Map<string, number> {
  return new Map(
    imports.map((one) => [standardDomain(one.domain), number(one.version ?? 0, "operator set version", reading)]),
  );
}

function number(value: Whole, what: string, reading: Reading): number {
  if (typeof value === "number" && value >= 0) return value;
  throw reading.error("import/malformed", `expected a plausible ${what}, got ${value}`);
}

/** Functions that call themselves, directly or not: inlining them would never end. */
function* recursions(functions: readonly ModelFunction[]): Iterable<string> {
  const key = (domain: string, op: string, overload: string) => JSON.stringify([domain, op, overload]);
  const byKey = new Map(functions.map((f) => [key(f.domain, f.name, f.overload), f]));
  const calls = new Map(functions.map((f) => [f, [...callsOf(f.body)]]));
  const state = new Map<ModelFunction, "open" | "done">();
  // An explicit stack: the chain of calls may be as long as the file pleases.
  for (const root of functions) {
    const stack = [{ f: root, next: 0 }];
    if (state.has(root)) continue;
    state.set(root, "open");
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const called = calls.get(top.f)![top.next++];
      if (called === undefined) {
        state.set(top.f, "done");
        stack.pop();
        continue;
      }
      const f = byKey.get(called);
      if (!f || state.get(f) === "done") continue;
      if (state.get(f) === "open") {
        yield `the function ${f.name} calls itself`;
        continue;
      }
      state.set(f, "open");
      stack.push({ f, next: 0 });
    }
  }

  function* callsOf(graph: Graph): Iterable<string> {
    for (const node of graph.nodes) {
      yield key(node.domain, node.op, node.overload);
      for (const body of node.subgraphs()) yield* callsOf(body);
    }
  }
}
