/** Calls of the model's own functions are replaced by their bodies: passes and quantization see operators only. */
import { AvocetError } from "../base/index.ts";
import { type Attribute, absorb, type Model, type ModelFunction, type Node, type Value } from "../ir/index.ts";
import type { Pass } from "./pass.ts";
import { graphsOf, withSubgraphs } from "./walk.ts";

/** ONNX forbids recursion; a file that has it anyway would never come to an end. */
const deepest = 100;

export const inlineFunctions: Pass = {
  name: "inline-functions",
  requires(model) {
    for (const made of model.functions) {
      for (const [domain, version] of made.opsets) {
        const outside = model.opsets.get(domain);
        if (outside !== undefined && outside !== version) {
          throw new AvocetError(
            "import/unsupported-opset",
            `expected the function ${made.name} in opset ${outside} of ${domain || "ai.onnx"}, got ${version}`,
            { hint: "raise the opset first: functions and model must agree before they are joined" },
          );
        }
      }
    }
  },
  run(model) {
    if (model.functions.length === 0) return 0;
    const key = (domain: string, name: string, overload: string) => `${domain}\0${name}\0${overload}`;
    const functions = new Map(model.functions.map((f) => [key(f.domain, f.name, f.overload), f]));
    let edits = 0;
    for (let depth = 0; ; depth++) {
      const calls = [...withSubgraphs(model.graph)].flatMap((graph) =>
        [...graph.nodes].filter((node) => functions.has(key(node.domain, node.op, node.overload))),
      );
      if (calls.length === 0) break;
      if (depth === deepest) {
        throw new AvocetError("import/malformed", "expected functions without recursion", { at: `${calls[0]}` });
      }
      for (const call of calls) inline(call, functions.get(key(call.domain, call.op, call.overload))!);
      edits += calls.length;
    }
    for (const made of model.functions)
      for (const [domain, version] of made.opsets) setIfAbsent(model.opsets, domain, version);
    const own = new Set(model.functions.map((f) => f.domain));
    model.functions.length = 0;
    for (const domain of own) if (![...domains(model)].includes(domain)) model.opsets.delete(domain);
    return edits + 1;
  },
};

function setIfAbsent(opsets: Map<string, number>, domain: string, version: number): void {
  if (!opsets.has(domain)) opsets.set(domain, version);
}

function* domains(model: Model): Iterable<string> {
  yield "";
  for (const graph of graphsOf(model)) for (const node of graph.nodes) yield node.domain;
}

function inline(call: Node, made: ModelFunction): void {
  const graph = call.graph!;
  const map = new Map<Value, Value | null>(made.body.inputs.map((input, i) => [input, call.input(i)]));
  const before = new Set(graph.nodes);
  absorb(graph, made.body, map);
  const nodes = [...graph.nodes].filter((node) => !before.has(node));
  for (const node of nodes) {
    graph.move(node, { before: call });
    bind(node, call, made);
  }
  made.body.outputs.forEach((output, i) => {
    const result = map.get(output);
    const old = call.outputs[i];
    if (!result || !old || old.name === "") return;
    result.type ??= old.type;
    graph.replaceUses(old, result);
  });
  graph.remove(call);
}

/** Gives references their attributes, in subgraphs too. */
function bind(node: Node, call: Node, made: ModelFunction): void {
  for (const [name, attribute] of [...node.attributes]) {
    if (attribute.type !== "reference") continue;
    const given: Attribute | undefined = call.attributes.get(attribute.value) ?? made.defaults.get(attribute.value);
    if (given) node.attributes.set(name, given);
    else node.attributes.delete(name);
  }
  for (const body of node.subgraphs()) for (const inner of body.nodes) bind(inner, call, made);
}
