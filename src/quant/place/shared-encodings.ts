/**
 * Values that share one encoding, as AIMET has it: the outputs of AveragePool, Relu and Resize have that of their input, and the inputs
 * of a Concat that of its output, unless another node reads such an input too. Fixed ranges are merged, or keep values apart. What moves
 * data keeps the encoding of what it moves. Where integer kernels are the aim, what a Min or Max with a constant reads has its encoding, so that
 * the bound holds among integers (lower/bound.ts). States of recurrent operators: recurrent-states.ts.
 */
import { addsOnlyZero, constantBound, keepsGrid } from "../../facts/inner.ts";
import type { Node, Value } from "../../ir/inner.ts";
import type { OperatorRule } from "../targets/target.ts";
import { type Decision, originOf, type Placement } from "./place-by-rule.ts";
import { tieStates } from "./recurrent-states.ts";

type Range = NonNullable<OperatorRule["range"]>;

export interface SharedEncodings {
  /** Value → the head, whose encoding it shares. A head shares that of no other value. */
  readonly heads: ReadonlyMap<Value, Value>;
  /** Fixed ends that a head takes over from what shares its encoding: those of a Relu behind a convolution. */
  readonly ranges: ReadonlyMap<Value, Range>;
  /** Values whose numbers count for the range of the encoding that they share: states of recurrent operators. */
  readonly counted: ReadonlySet<Value>;
}

export function sharedEncodings(placement: Placement, decided: ReadonlyMap<Value, Decision>): SharedEncodings {
  const { target, facts, units } = placement;
  const shared = new Map<Value, Value>();
  const ranges = new Map<Value, Range>();
  const rangeOf = (value: Value) => {
    const node = value.producer;
    return ranges.get(value) ?? (node ? target.operators.get(node.op)?.range : undefined);
  };
  for (const [value, decision] of decided) if (decision.on && decision.movedFrom) shared.set(value, decision.movedFrom);
  for (const node of facts.model.graph.nodes) {
    const value = node.output;
    if (!value || !decided.get(value)?.on || shared.has(value) || units.get(node)!.nodes.length > 1) continue;
    if (!target.outputTakesInput.has(node.op) || leavesRange(node)) continue;
    const input = node.input(0);
    const origin = input ? originOf(input, decided) : undefined;
    if (!input || !origin) continue;
    const [own, others] = [rangeOf(value), rangeOf(root(origin, shared))];
    // A fixed range would clip what others read; and two of them cannot both hold.
    if (own && (!readOnceFrom(origin, input) || (others && !sameRange(own, others)))) continue;
    shared.set(value, origin);
    if (own) ranges.set(root(origin, shared), own);
  }
  // From the last to the first, as AIMET: a Concat inside another one belongs to that.
  for (const node of [...facts.model.graph.nodes].reverse()) {
    const value = node.output;
    if (!value || !target.inputsTakeOutput.has(node.op) || !decided.get(value)?.on || accumulates(node)) continue;
    const operands = node.inputs.filter((input) => input !== null && facts.isFloat(input));
    const origins = operands.flatMap((input) => originOf(input!, decided) ?? []);
    const common = origins[0] && rangeOf(origins[0]);
    // What is not quantized next to them keeps to no range.
    const oneRange =
      common !== undefined &&
      !shared.has(value) &&
      origins.length === operands.length &&
      origins.every((one) => sameRange(rangeOf(one), common));
    if (oneRange) ranges.set(value, common);
    for (const origin of origins) {
      if (origin === value || shared.has(origin) || (rangeOf(origin) && !oneRange) || !onlyReaches(origin, node))
        continue;
      shared.set(origin, value);
    }
  }
  if (target.kernels) {
    for (const node of facts.model.graph.nodes) {
      const x = constantBound(node)?.x;
      const origin = x && decided.get(node.output)?.on ? originOf(x, decided) : undefined;
      if (origin && !shared.has(origin) && onlyReaches(origin, node)) shared.set(origin, node.output);
    }
  }
  const counted = target.kernels ? new Set<Value>() : tieStates(facts.model.graph.nodes, decided, shared);
  const heads = new Map([...shared.keys()].map((value) => [value, root(value, shared)]));
  return { heads, ranges, counted };
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

/** A cubic Resize overshoots its neighbours, and a crop beyond the image holds a number of its own: AIMET lets these share, too. */
function leavesRange(node: Node): boolean {
  if (node.op !== "Resize") return false;
  return node.string("mode", "nearest") === "cubic" || !addsOnlyZero(node);
}

/** A Scatter that adds or multiplies has inputs that its output need not reach; AIMET lets these share, too. */
function accumulates(node: Node): boolean {
  return ["add", "mul"].includes(node.string("reduction", "none"));
}

function root(value: Value, shared: ReadonlyMap<Value, Value>): Value {
  let at = value;
  for (let next = shared.get(at); next; next = shared.get(at)) at = next;
  return at;
}

/** Whether the value is read by that node alone, directly or after data movement. */
function onlyReaches(value: Value, goal: Node): boolean {
  if (value.isGraphOutput) return false;
  return value
    .consumers()
    .every((node) => node === goal || (keepsGrid(node) && node.outputs.every((output) => onlyReaches(output, goal))));
}
