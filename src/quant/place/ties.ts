/**
 * Values that share one encoding. AIMET ties the output of AveragePool, Relu and Resize to their input, and the inputs of Concat
 * to its output, unless somebody else reads such an input too; fixed ranges are merged or stand against it; what moves data keeps the encoding of what it moves.
 */
import { addsOnlyZero, keepsGrid } from "../../facts/inner.ts";
import type { Node, Value } from "../../ir/inner.ts";
import type { OperatorRule } from "../targets/target.ts";
import { type Decision, originOf, type Placement } from "./place-by-rule.ts";

type Range = NonNullable<OperatorRule["range"]>;

export interface Ties {
  /** Tied value → the value whose encoding it shares, which is never tied itself. */
  readonly heads: ReadonlyMap<Value, Value>;
  /** Fixed ends that a head takes over from what is tied to it: those of a Relu behind a convolution. */
  readonly ranges: ReadonlyMap<Value, Range>;
}

export function tiesOf(placement: Placement, decided: ReadonlyMap<Value, Decision>): Ties {
  const { target, facts, units } = placement;
  const ties = new Map<Value, Value>();
  const ranges = new Map<Value, Range>();
  const rangeOf = (value: Value) => {
    const node = value.producer;
    return ranges.get(value) ?? (node ? target.operators.get(node.op)?.range : undefined);
  };
  for (const [value, decision] of decided) if (decision.on && decision.movedFrom) ties.set(value, decision.movedFrom);
  for (const node of facts.model.graph.nodes) {
    const value = node.output;
    if (!value || !decided.get(value)?.on || ties.has(value) || units.get(node)!.nodes.length > 1) continue;
    if (!target.outputTakesInput.has(node.op) || leavesRange(node)) continue;
    const input = node.input(0);
    const origin = input ? originOf(input, decided) : undefined;
    if (!input || !origin) continue;
    const [own, others] = [rangeOf(value), rangeOf(root(origin, ties))];
    // A fixed range would clip what others read; and two of them cannot both hold.
    if (own && (!readOnceFrom(origin, input) || (others && !sameRange(own, others)))) continue;
    ties.set(value, origin);
    if (own) ranges.set(root(origin, ties), own);
  }
  // From the last to the first, as AIMET: a Concat inside another one belongs to that.
  for (const node of [...facts.model.graph.nodes].reverse()) {
    const value = node.output;
    if (!value || !target.inputsTakeOutput.has(node.op) || !decided.get(value)?.on || accumulates(node)) continue;
    const operands = node.inputs.filter((input) => input !== null && facts.isFloat(input));
    const origins = operands.flatMap((input) => originOf(input!, decided) ?? []);
    const common = origins[0] && rangeOf(origins[0]);
    // What is not quantized beside them keeps to no range.
    const oneRange =
      common !== undefined &&
      !ties.has(value) &&
      origins.length === operands.length &&
      origins.every((one) => sameRange(rangeOf(one), common));
    if (oneRange) ranges.set(value, common);
    for (const origin of origins) {
      if (origin === value || ties.has(origin) || (rangeOf(origin) && !oneRange) || !onlyReaches(origin, node))
        continue;
      ties.set(origin, value);
    }
  }
  const heads = new Map([...ties.keys()].map((value) => [value, root(value, ties)]));
  return { heads, ranges };
}

function sameRange(a: Range | undefined, b: Range): boolean {
  return a?.min === b.min && a?.max === b.max;
}

/** Whether all that lies between the value and where it was moved from is read once, and so sees no more than the reader. */
function readOnceFrom(origin: Value, value: Value): boolean {
  for (let at = value; ; at = at.producer!.input(0)!) {
    if (at.isGraphOutput || at.useCount !== 1) return false;
    if (at === origin) return true;
  }
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
