/** Calls of the model's own functions are replaced by their bodies: passes and quantization see operators only. */

import { AvocetError } from "../../base/inner.ts";
import { graphsOf, withSubgraphs } from "../../facts/inner.ts";
import { limits } from "../../formats/inner.ts";
import {
  type Attribute,
  absorb,
  type Graph,
  type Model,
  type ModelFunction,
  type Names,
  type Node,
  nodeNames,
  type Value,
} from "../../ir/inner.ts";
import type { Pass } from "../pass.ts";

type Functions = ReadonlyMap<string, ModelFunction>;
const keyOf = (domain: string, name: string, overload: string) => `${domain}\0${name}\0${overload}`;
const calledBy = (node: Node, functions: Functions) => functions.get(keyOf(node.domain, node.op, node.overload));

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
            {
              at: `${model.source ?? model.graph.name}: function ${made.name}`.slice(0, limits.faultLength),
              hint: "raise the opset first: functions and model must agree before they are joined",
            },
          );
        }
      }
    }
  },
  run(model) {
    if (model.functions.length === 0) return 0;
    const functions = new Map(model.functions.map((f) => [keyOf(f.domain, f.name, f.overload), f]));
    expectFew(model, functions);
    // The names of the nodes of each graph: asking it again for every call would take the square of the calls.
    const names = new Map<Graph, Names>();
    let edits = 0;
    for (;;) {
      const calls = [...withSubgraphs(model.graph)].flatMap((graph) =>
        [...graph.nodes].filter((node) => calledBy(node, functions)),
      );
      if (calls.length === 0) break;
      for (const call of calls) {
        // A call in the body of another one went with it, and comes again with what took its place.
        const { graph } = call;
        if (!graph) continue;
        const taken = names.get(graph) ?? nodeNames(graph);
        names.set(graph, taken);
        inline(call, calledBy(call, functions)!, taken);
      }
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

/**
 * Refuses before anything is copied: forty functions that call the next one twice are two kilobytes of file and a trillion
 * nodes. What is counted is what reading counts.
 */
function expectFew(model: Model, functions: Functions): void {
  const sizes = new Map<ModelFunction, number>();
  const sizeOfGraph = (graph: Graph, depth: number): number => {
    let parts = 0;
    for (const inner of withSubgraphs(graph)) {
      for (const node of inner.nodes) {
        const made = calledBy(node, functions);
        parts += 1 + node.inputs.length + node.outputs.length + (made ? sizeOfCall(made, node, depth) : 0);
      }
    }
    return parts;
  };
  const sizeOfCall = (made: ModelFunction, call: Node, depth: number): number => {
    if (depth === limits.functionDepth) {
      throw new AvocetError(
        "import/malformed",
        `expected functions without recursion, at most ${limits.functionDepth} in each other`,
        {
          at: `${model.source ?? model.graph.name}: ${call}`.slice(0, limits.faultLength),
          hint: "inline the functions with the tool that made the model",
        },
      );
    }
    const known = sizes.get(made) ?? sizeOfGraph(made.body, depth + 1);
    sizes.set(made, known);
    return known;
  };
  const parts = sizeOfGraph(model.graph, 0);
  if (parts <= limits.graphParts) return;
  throw new AvocetError(
    "import/too-large",
    `expected at most ${limits.graphParts} nodes, inputs and outputs with all functions inlined, got ${parts}`,
    { at: model.source ?? model.graph.name, hint: "a real model has far fewer: if this is one, please report it" },
  );
}

function setIfAbsent(opsets: Map<string, number>, domain: string, version: number): void {
  if (!opsets.has(domain)) opsets.set(domain, version);
}

function* domains(model: Model): Iterable<string> {
  yield "";
  for (const graph of graphsOf(model)) for (const node of graph.nodes) yield node.domain;
}

function inline(call: Node, made: ModelFunction, taken: Names): void {
  const graph = call.graph!;
  const map = new Map<Value, Value | null>(made.body.inputs.map((input, i) => [input, call.input(i)]));
  for (const node of absorb(graph, made.body, map, taken)) {
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
