/** Loops: While becomes ONNX's Loop; lists that each round writes one element of become its scanned outputs. */
import type { Dim, Value } from "../../../ir/inner.ts";
import { known } from "../../channels-last/content.ts";
import type { Emitter } from "../../channels-last/emitter.ts";
import { slice } from "../../channels-last/slice.ts";
import type { Term } from "../../channels-last/term.ts";
import type { Call, Family } from "../call.ts";
import type { Reference, SourceFunction } from "../graph.ts";
import { failed, hasFailed, isTerm, type List, type Slot } from "../slots.ts";
import { asTruth } from "./calls.ts";

/** What becomes of one variable of a loop. */
type Role =
  /** The same in every round: the body reads it from outside. */
  | { readonly kind: "same" }
  | { readonly kind: "carried"; readonly start: Term }
  /** A list whose i-th element the i-th round writes, or whose only element every round writes. */
  | { readonly kind: "scanned"; readonly list: List; readonly last: boolean };

/** The argument that a value of the body is, if nothing but Identity lies between. */
function argumentOf(body: SourceFunction, reference: Reference): number {
  let at = reference;
  for (let steps = 0; steps <= body.nodes.size; steps++) {
    const index = body.inputs.indexOf(at.node);
    if (index >= 0) return index;
    const node = body.nodes.get(at.node);
    if (node?.op !== "Identity" || !node.inputs[0]) return -1;
    at = node.inputs[0];
  }
  return -1;
}

/** The node that computes an output, behind Identity. */
function producerOf(body: SourceFunction, reference: Reference) {
  let at = reference;
  for (let steps = 0; steps <= body.nodes.size; steps++) {
    const node = body.nodes.get(at.node);
    if (node?.op !== "Identity" || !node.inputs[0]) return node;
    at = node.inputs[0];
  }
  return undefined;
}

/** Whether a variable begins at zero and each round adds one. */
function counts(body: SourceFunction, index: number, start: Slot | undefined): boolean {
  if (!start || !isTerm(start) || known(start.content)?.[0] !== 0) return false;
  const node = producerOf(body, body.outputs[index]!);
  if (node?.op !== "AddV2" && node?.op !== "Add") return false;
  const [a, b] = node.inputs.map((input) => ({ arg: argumentOf(body, input), node: producerOf(body, input) }));
  const one = [a, b].find((side) => side?.node?.op === "Const");
  const counter = [a, b].find((side) => side?.arg === index);
  const step = one?.node?.attributes.tensor("value");
  return counter !== undefined && step?.size === 1 && step.numbers()[0] === 1;
}

function roleOf(call: Call, body: SourceFunction, index: number): Role {
  const { e } = call;
  const slot = call.slots[index]!;
  const output = body.outputs[index];
  if (!output) throw e.broken(`expected ${call.slots.length} results of a loop's body, got ${body.outputs.length}`);
  if (argumentOf(body, output) === index) return { kind: "same" };
  if (isTerm(slot)) return { kind: "carried", start: slot };
  if (slot.kind !== "list") throw e.fail(`expected a loop over tensors, got a ${slot.kind} that changes`);
  const node = producerOf(body, output);
  const [list, place] = node?.inputs ?? [];
  if (node?.op !== "TensorListSetItem" || !list || !place || argumentOf(body, list) !== index) {
    throw e.fail("expected a list that each round writes one element of");
  }
  const at = argumentOf(body, place);
  if (at >= 0 && counts(body, at, call.slots[at])) return { kind: "scanned", list: slot, last: false };
  const constant = producerOf(body, place);
  const outer = at >= 0 && argumentOf(body, body.outputs[at]!) === at ? call.slots[at] : undefined;
  const fixed =
    constant?.op === "Const"
      ? constant.attributes.tensor("value").numbers()[0]
      : outer && isTerm(outer)
        ? known(outer.content)?.[0]
        : undefined;
  const length = slot.length && known(slot.length.content)?.[0];
  if (fixed === 0 && length === 1) return { kind: "scanned", list: slot, last: true };
  throw e.fail("expected a list whose elements are written in order");
}

interface Body {
  readonly e: Emitter;
  readonly slots: readonly Slot[];
  readonly goesOn: Term;
}

/** The body with these shapes of what is carried; arguments that stay the same are read from outside. */
function write(call: Call, roles: readonly Role[], shapes: ReadonlyMap<number, readonly Dim[]>): Body | undefined {
  const { attributes, world } = call;
  const e = call.e.body(attributes.func("body"));
  return e.named(call.e.name, () => {
    e.parameter("round", "int64", []);
    e.parameter("goes_on", "bool", []);
    const args = roles.map((role, i): Slot => {
      if (role.kind === "same") return call.slots[i]!;
      if (role.kind === "scanned") return { kind: "list", dtype: role.list.dtype, loop: true };
      return e.parameter(`${call.e.name}/variable`, role.start.dtype, shapes.get(i)!);
    });
    const slots = world.call(attributes.func("body"), args, e);
    const again = world.call(attributes.func("cond"), slots, e)[0];
    if (again && hasFailed(again)) return undefined;
    if (!again || !isTerm(again)) throw e.broken("expected a condition of a loop");
    return { e, slots, goesOn: asTruth(e, again) };
  });
}

function loop(call: Call): Slot[] {
  const { e, attributes, world } = call;
  const body = world.function(attributes.func("body"));
  const roles = call.slots.map((_, i) => roleOf(call, body, i));
  const first = world.call(attributes.func("cond"), call.slots, e)[0];
  if (first && hasFailed(first)) return call.slots.map(() => failed);
  if (!first || !isTerm(first)) throw e.broken("expected a condition of a loop");
  const carried = roles.flatMap((role, i) => (role.kind === "carried" ? [i] : []));
  const scanned = roles.flatMap((role, i) => (role.kind === "scanned" ? [i] : []));
  // Lengths are taken to stay as they begin; what the body makes of them decides which do not.
  const shapes = new Map(carried.map((i) => [i, (roles[i] as { start: Term }).start.shape]));
  for (let tries = 0; ; tries++) {
    const made = write(call, roles, shapes);
    if (made === undefined || made.slots.some(hasFailed)) return call.slots.map(() => failed);
    const changed = carried.filter((i) => {
      const [before, after] = [shapes.get(i)!, termAt(e, made.slots, i).shape];
      if (after.length !== before.length) throw e.fail("expected variables of a loop to keep their rank");
      const stays = before.every((dim, axis) => dim === null || dim === after[axis]);
      if (!stays)
        shapes.set(
          i,
          before.map((dim, axis) => (dim === after[axis] ? dim : null)),
        );
      return !stays;
    });
    if (changed.length === 0) return finished(call, roles, made, shapes, asTruth(e, first));
    made.e.discard();
    if (tries >= 3) throw e.fail("expected variables of a loop to keep their shapes");
  }

  function finished(
    at: Call,
    all: readonly Role[],
    made: Body,
    lengths: ReadonlyMap<number, readonly Dim[]>,
    condition: Term,
  ): Slot[] {
    made.e.result(made.goesOn);
    for (const i of carried) made.e.result(termAt(e, made.slots, i));
    const items = new Map(scanned.map((i) => [i, itemAt(e, made.slots, i)]));
    for (const i of scanned) made.e.result(items.get(i)!);
    const starts = carried.map((i): Value => e.value((all[i] as { start: Term }).start));
    const node = e.node(
      "Loop",
      [null, e.value(condition), ...starts],
      { body: made.e.graph },
      carried.length + scanned.length,
    );
    return all.map((role, i): Slot => {
      if (role.kind === "same") return at.slots[i]!;
      if (role.kind === "carried") return e.term(node.outputs[carried.indexOf(i)]!, role.start.dtype, lengths.get(i)!);
      const item = items.get(i)!;
      const value = node.outputs[carried.length + scanned.indexOf(i)]!;
      const length = role.last ? null : role.list.length && known(role.list.length.content)?.[0];
      const scan = e.term(value, item.dtype, [length ?? null, ...item.shape]);
      const stacked = role.last ? slice(e, scan, [{ axis: 0, start: -1, end: null, step: 1 }]) : scan;
      return {
        kind: "list",
        dtype: item.dtype,
        stacked: role.last ? { ...stacked, shape: [1, ...item.shape] } : stacked,
      };
    });
  }
}

function termAt(e: Emitter, slots: readonly Slot[], i: number): Term {
  const slot = slots[i];
  if (slot && isTerm(slot)) return slot;
  throw e.fail("expected a body of a loop that returns tensors");
}

function itemAt(e: Emitter, slots: readonly Slot[], i: number): Term {
  const slot = slots[i];
  if (slot && !isTerm(slot) && slot.kind === "list" && slot.pending) return slot.pending.item;
  throw e.fail("expected a list that each round writes one element of");
}

export const loopRows: Family = {
  While: { emit: loop, limits: "lists are read, or written in order" },
  StatelessWhile: { emit: loop, limits: "lists are read, or written in order" },
};
