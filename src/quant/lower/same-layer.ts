/**
 * Which layers of two forms of a model are the same one: a layer is known by the name of its weight, which no step changes; those that
 * share a weight are known by their order. Outputs are no help: what adds a bias behind a product takes over its name.
 */

import { AvocetError } from "../../base/inner.ts";
import { isRecurrent, type Layer, recurrentInputs } from "../../facts/inner.ts";
import type { Model, Node, Value } from "../../ir/inner.ts";
import { rowOf } from "../../ops/inner.ts";

/** Whether the node is a linear operator of the standard. */
export function isProduct(node: Node): boolean {
  return node.domain === "" && rowOf(node)?.linear !== undefined;
}

/** The constant that a product multiplies with, on whichever side it is; of a recurrent operator W. */
export function constantOperand(node: Node): Value | undefined {
  if (isRecurrent(node)) return node.input(recurrentInputs.w)?.initializer ? node.input(recurrentInputs.w)! : undefined;
  return [node.input(rowOf(node)!.linear!.weight), node.input(0)].find((value) => value?.initializer) ?? undefined;
}

/** The products of a model under the names of their weights, in order. */
export function productsByWeight({ graph }: Model): Map<string, Node[]> {
  const found = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    const weight = isProduct(node) ? constantOperand(node) : undefined;
    if (weight) found.set(weight.name, [...(found.get(weight.name) ?? []), node]);
  }
  return found;
}

/** What is known of the same layer. Throws `graph/not-found`. */
export function ofSameLayer<T>({ node, weight }: Layer, byWeight: ReadonlyMap<string, readonly T[]>): T {
  const found = byWeight.get(weight.value.name) ?? [];
  const users = found.length > 1 ? [...node.graph!.nodes].filter((other) => readsWeight(other, weight.value)) : [node];
  const same = found[users.indexOf(node)];
  if (same !== undefined) return same;
  throw new AvocetError("graph/not-found", `expected a layer of the same model, got ${node}`, {
    at: weight.value.name,
    hint: "the forms of a model have the same layers, each with a weight of the same name",
  });
}

function readsWeight(node: Node, weight: Value): boolean {
  return (isProduct(node) || isRecurrent(node)) && constantOperand(node) === weight;
}
