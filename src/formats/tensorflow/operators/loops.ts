/** Loops: While becomes ONNX's Loop; lists that each round writes one element of become its scanned outputs. */
import type { Dim, Value } from "../../../ir/inner.ts";
import { known } from "../../channels-last/content.ts";
import type { Emitter } from "../../channels-last/emitter.ts";
import { slice } from "../../channels-last/slice.ts";
import type { Term } from "../../channels-last/term.ts";
import type { Call, Family } from "../call.ts";
import { failed, hasFailed, isTerm, type Slot } from "../slots.ts";
import { asTruth } from "./calls.ts";
import { recurrentLayer } from "./recurrent-layer.ts";
import { type Body, type Role, roleOf } from "./roles.ts";

/** The body with these shapes of what is carried; arguments that stay the same are read from outside. */
function write(call: Call, roles: readonly Role[], shapes: ReadonlyMap<number, readonly Dim[]>): Body | undefined {
  const { attributes, world } = call;
  const e = call.e.body(attributes.func("body"));
  return e.named(call.e.name, () => {
    e.parameter("round", "int64", []);
    e.parameter("goes_on", "bool", []);
    const parameters = new Map<number, Term>();
    const args = roles.map((role, i): Slot => {
      if (role.kind === "same") return call.slots[i]!;
      if (role.kind === "scanned") return { kind: "list", dtype: role.list.dtype, loop: true };
      const made = e.parameter(`${call.e.name}/variable`, role.start.dtype, shapes.get(i)!);
      parameters.set(i, made);
      return made;
    });
    const slots = world.call(attributes.func("body"), args, e);
    const again = world.call(attributes.func("cond"), slots, e)[0];
    if (again && hasFailed(again)) return undefined;
    if (!again || !isTerm(again)) throw e.broken("expected a condition of a loop");
    return { e, parameters, slots, goesOn: asTruth(e, again) };
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
    const layer = changed.length === 0 ? recurrentLayer(call, roles, made) : undefined;
    if (layer) {
      made.e.discard();
      return layer;
    }
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
