/** Functions and branches: calls are written where they stand, conditions that are known choose, others become If. */
import type { Dim } from "../../../ir/inner.ts";
import { choose } from "../../channels-last/axes.ts";
import { known } from "../../channels-last/content.ts";
import { cast, elementwise, unary } from "../../channels-last/elementwise.ts";
import type { Emitter } from "../../channels-last/emitter.ts";
import type { Term } from "../../channels-last/term.ts";
import type { Call, Family, OperatorRow } from "../call.ts";
import { failed, hasFailed, isTerm, nothing, type Slot } from "../slots.ts";

const called: OperatorRow = { emit: (call) => call.world.call(call.attributes.func("f"), call.slots, call.e) };

/** A condition as a truth value: numbers are true unless they are zero. */
export function asTruth(e: Emitter, term: Term): Term {
  if (term.dtype === "bool") return term;
  return unary(e, "Not", elementwise(e, "Equal", [term, e.numbers(0, term.dtype)], "bool"));
}

/** What two branches return at one place. */
function merged(e: Emitter, yes: Term, no: Term): { shape: readonly Dim[] } {
  if (yes.dtype !== no.dtype || yes.shape.length !== no.shape.length)
    throw e.fail("expected branches that return tensors of one rank and type");
  return { shape: yes.shape.map((dim, axis) => (dim === no.shape[axis] ? dim : null)) };
}

function branched(call: Call): Slot[] {
  const { e, world, attributes } = call;
  const [condition, ...args] = [call.term(0), ...call.slots.slice(1)];
  const decided = known(condition.content)?.[0];
  const names = [attributes.func("then_branch"), attributes.func("else_branch")] as const;
  if (decided !== undefined) return world.call(decided !== 0 ? names[0] : names[1], args, e);
  const bodies = names.map((name) => {
    const body = e.body(name);
    return { body, slots: body.named(e.name, () => world.call(name, args, body)) };
  });
  const [yes, no] = bodies.map(({ slots }) => slots) as [Slot[], Slot[]];
  if (yes.some(hasFailed) || no.some(hasFailed)) return yes.map(() => failed);
  const places = yes.flatMap((slot, i) => (isTerm(slot) || isTerm(no[i]!) ? [i] : []));
  if (places.length === 0) return yes.map(() => nothing);
  const types = places.map((i) => {
    const [a, b] = [yes[i]!, no[i]!];
    if (isTerm(a) && isTerm(b)) return { dtype: a.dtype, ...merged(e, a, b) };
    throw e.fail("expected branches that return tensors");
  });
  for (const { body, slots } of bodies) for (const i of places) body.result(slots[i] as Term);
  const graphs = { then_branch: bodies[0]!.body.graph, else_branch: bodies[1]!.body.graph };
  const node = e.node("If", [e.value(asTruth(e, condition))], graphs, places.length);
  const made = new Map(places.map((i, at) => [i, e.term(node.outputs[at]!, types[at]!.dtype, types[at]!.shape)]));
  return yes.map((_, i) => made.get(i) ?? nothing);
}

/** Several branches by number: the last one for numbers that there are none of. */
function cased(call: Call): Slot[] {
  const { e, world, attributes } = call;
  const branches = (attributes.get("branches")?.list?.func ?? []).map(({ name = "" }) => name);
  const index = known(cast(e, call.term(0), "int64").content)?.[0];
  if (index === undefined) throw e.fail("expected a branch that does not depend on the model's inputs");
  const name = branches[index] ?? branches.at(-1);
  if (name === undefined) throw e.broken("expected branches, got none");
  return world.call(name, call.slots.slice(1), e);
}

export const callRows: Family = {
  PartitionedCall: called,
  StatefulPartitionedCall: called,
  If: { emit: branched },
  StatelessIf: { emit: branched },
  Case: { emit: cased, limits: "of a constant number" },
  StatelessCase: { emit: cased, limits: "of a constant number" },
  Switch: { emit: switched, outputs: ["output_false", "output_true"] },
  RefSwitch: { emit: switched, outputs: ["output_false", "output_true"] },
  Merge: {
    emit: mergedSides,
    outputs: ["output", "value_index"],
    limits: "of the two sides of one condition; both are computed",
  },
  RefMerge: { emit: mergedSides, outputs: ["output", "value_index"], limits: "as Merge" },
};

function mergedSides(call: Call): Slot[] {
  const { e } = call;
  const { predicate, taken } = call.world.condition(call.node);
  const there = call.slots.filter((slot) => slot !== nothing);
  if (there.length === 1) return [there[0]!, nothing];
  const [yes, no] = [call.term(taken), call.term(1 - taken)];
  merged(e, yes, no);
  return [choose(e, asTruth(e, predicate), yes, no), nothing];
}

/** TensorFlow 1: the value on the side of the condition; Merge chooses, both sides are computed. */
function switched(call: Call): Slot[] {
  return [call.slots[0]!, call.slots[0]!];
}
