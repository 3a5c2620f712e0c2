/** Cuts a part out of a graph: what is needed to compute some values from others, as a model of its own. */
import { AvocetError } from "../base/inner.ts";
import { cloneModel } from "./clone.ts";
import type { Graph, Node, Value } from "./graph.ts";
import type { Model } from "./model.ts";

/**
 * A new model that computes the values named `to` from those named `from` (default: the graph's own inputs). Its
 * inputs are exactly `from`, in that order. Throws `graph/not-found` for unknown names and when a value of `to` needs
 * a graph input that `from` does not cut off.
 */
export function extract(model: Model, to: readonly string[], from?: readonly string[]): Model {
  const copy = cloneModel(model);
  const { graph } = copy;
  const values = graph.valuesByName();
  const find = (name: string): Value => {
    const value = values.get(name);
    if (!value)
      throw new AvocetError("graph/not-found", `expected a value of the graph, got ${name}`, {
        at: model.source ?? graph.name,
      });
    return value;
  };
  const outputs = to.map(find);
  const cuts = [...new Set((from ?? graph.inputs.map((v) => v.name)).map(find))];
  graph.setOutputs([]);
  const renamed = cuts.map((value) => cutAt(graph, value));
  const replaced = new Map(cuts.map((value, i) => [value, renamed[i]!]));
  graph.setOutputs(outputs.map((value) => replaced.get(value) ?? value));
  removeDead(graph);
  for (const input of [...graph.inputs]) {
    if (renamed.includes(input)) continue;
    if (input.useCount === 0) graph.removeInput(input);
    else if (input.initializer) graph.unlistInput(input);
    else {
      throw new AvocetError("graph/not-found", `the part still needs the input ${input.name}`, {
        at: model.source ?? graph.name,
        hint: "name it among the inputs of the part",
      });
    }
  }
  graph.orderInputs(renamed);
  return copy;
}

/** Turns a computed value or a constant into a graph input of the same name; what made it is left without readers. */
export function cutAt(graph: Graph, value: Value): Value {
  if (value.isGraphInput) return value;
  const { name } = value;
  graph.setAside(value, `${name}_uncut`);
  const input = graph.addInput(name, value.type);
  graph.replaceUses(value, input);
  return input;
}

/** Removes nodes and constants whose results nobody reads; returns how many. */
export function removeDead(graph: Graph): number {
  let removed = 0;
  const nodes: Node[] = [...graph.nodes].reverse();
  for (const node of nodes) {
    if (node.outputs.some((value) => value.useCount > 0)) continue;
    graph.remove(node);
    removed++;
  }
  for (const constant of [...graph.initializers]) {
    if (constant.useCount > 0 || graph.inputs.includes(constant)) continue;
    graph.removeInitializer(constant);
    removed++;
  }
  return removed;
}
