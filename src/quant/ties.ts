/**
 * Values that share one encoding. AIMET ties the output of AveragePool, Relu and Resize to their input, and the inputs of Concat
 * to its output, unless somebody else reads such an input too; what moves data keeps the encoding of what it moves.
 */
import type { Node, Value } from "../ir/index.ts";
import { addsOnlyZero, keepsGrid } from "./facts.ts";
import { type Decision, originOf, type Placement } from "./place-by-rule.ts";

/** Tied value → the value whose encoding it shares, which is never tied itself. */
export function tiesOf(placement: Placement, decided: ReadonlyMap<Value, Decision>): Map<Value, Value> {
  const { target, facts, units } = placement;
  const ties = new Map<Value, Value>();
  const rangeOf = (value: Value) => {
    const node = value.producer;
    return node ? target.operators.get(node.op)?.range : undefined;
  };
  for (const [value, decision] of decided) if (decision.on && decision.movedFrom) ties.set(value, decision.movedFrom);
  for (const node of facts.model.graph.nodes) {
    const value = node.output;
    if (!value || !decided.get(value)?.on || ties.has(value) || units.get(node)!.nodes.length > 1) continue;
    if (!target.outputTakesInput.has(node.op) || rangeOf(value) || leavesRange(node)) continue;
    const origin = node.input(0) ? originOf(node.input(0)!, decided) : undefined;
    if (origin) ties.set(value, origin);
  }
  for (const node of facts.model.graph.nodes) {
    const value = node.output;
    if (!value || !target.inputsTakeOutput.has(node.op) || !decided.get(value)?.on || accumulates(node)) continue;
    for (const input of node.inputs) {
      const origin = input ? originOf(input, decided) : undefined;
      if (!origin || origin === value || ties.has(origin) || rangeOf(origin) || !onlyReaches(origin, node)) continue;
      ties.set(origin, value);
    }
  }
  return new Map([...ties.keys()].map((value) => [value, root(value, ties)]));
}

/** A cubic Resize overshoots its neighbours, and a crop beyond the picture holds a number of its own: AIMET ties these, too. */
function leavesRange(node: Node): boolean {
  if (node.op !== "Resize") return false;
  return node.string("mode", "nearest") === "cubic" || !addsOnlyZero(node);
}

/** A Scatter that adds or multiplies has inputs that its output need not reach; AIMET ties these, too. */
function accumulates(node: Node): boolean {
  return ["add", "mul"].includes(node.string("reduction", "none"));
}

function root(value: Value, ties: ReadonlyMap<Value, Value>): Value {
  let at = value;
  for (let next = ties.get(at); next; next = ties.get(at)) at = next;
  return at;
}

/** Whether the value is read by that node alone, directly or after data movement. */
function onlyReaches(value: Value, goal: Node): boolean {
  if (value.isGraphOutput) return false;
  return value
    .consumers()
    .every((node) => node === goal || (keepsGrid(node) && node.outputs.every((output) => onlyReaches(output, goal))));
}
