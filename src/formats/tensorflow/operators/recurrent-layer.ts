/** A loop whose body is a cell, and which reads one element of a sequence a round, as a layer of ONNX. */
import type { Value } from "../../../ir/inner.ts";
import { gather, squeeze, unsqueeze } from "../../channels-last/axes.ts";
import { known } from "../../channels-last/content.ts";
import { shapeOf } from "../../channels-last/reshape.ts";
import { storedAxis, type Term } from "../../channels-last/term.ts";
import type { Call } from "../call.ts";
import { isTerm, type List, type Slot } from "../slots.ts";
import { type Cell, gruOf, lstmOf } from "./recurrent.ts";
import { argumentOf, type Body, counts, producerOf, type Role } from "./roles.ts";
import { isZero } from "./shapes.ts";

/** The slots that the loop returns, or undefined where it is no such layer. */
export function recurrentLayer(call: Call, roles: readonly Role[], made: Body): Slot[] | undefined {
  const { e, world, attributes } = call;
  const body = world.function(attributes.func("body"));
  const isCounter = (i: number) => counts(body, i, call.slots[i]);
  const carried = roles.flatMap((role, i) => (role.kind === "carried" ? [i] : []));
  const counters = carried.filter(isCounter);
  const states = carried.filter((i) => !isCounter(i));
  const parameterOf = (value: Value) => [...made.parameters].find(([, term]) => term.value === value)?.[0];
  const isState = (value: Value) => states.includes(parameterOf(value) ?? -1);
  const computed = (slot: Slot | undefined) => (slot && isTerm(slot) ? slot.value : null);
  for (const hidden of states) {
    const next = computed(made.slots[hidden]);
    if (!next) continue;
    const lstm = states.length === 2 ? lstmOf(next, isState) : undefined;
    const cell: Cell | undefined = lstm ?? (states.length === 1 ? gruOf(next, isState) : undefined);
    if (!cell || parameterOf(cell.hidden) !== hidden) continue;
    const memory = states.find((i) => i !== hidden);
    if (lstm && (parameterOf(lstm.memory!) !== memory || computed(made.slots[memory!]) !== lstm.next)) continue;
    const sequence = sequenceOf(call, cell, (index) => counters.includes(parameterOf(index) ?? -1));
    const wroteOther = roles.some((role, i) => {
      const slot = made.slots[i];
      return (
        role.kind === "scanned" && !(slot && !isTerm(slot) && slot.kind === "list" && slot.pending?.item.value === next)
      );
    });
    if (!sequence || wroteOther || !runsThrough(call, roles, counters, sequence.shape[0]!)) continue;
    return written(call, roles, { cell, sequence, hidden, memory });
  }
  return undefined;

  function written(at: Call, all: readonly Role[], layer: Layer): Slot[] {
    const outputs = emitted(at, all, layer);
    return all.map((role, i): Slot => {
      if (role.kind === "same") return at.slots[i]!;
      if (role.kind === "scanned")
        return { kind: "list", dtype: "float32", stacked: role.last ? outputs.last : outputs.all };
      if (i === layer.hidden) return squeeze(e, outputs.last, [0]);
      if (i === layer.memory) return squeeze(e, outputs.cell!, [0]);
      // A counter has counted the steps.
      const steps = layer.sequence.shape[0];
      return typeof steps === "number"
        ? e.numbers(steps, role.start.dtype)
        : gather(e, shapeOf(e, layer.sequence, role.start.dtype), e.numbers(0), 0);
    });
  }
}

interface Layer {
  readonly cell: Cell;
  /** [steps, batch, in] */
  readonly sequence: Term;
  readonly hidden: number;
  readonly memory: number | undefined;
}

function emitted(
  { e }: Call,
  roles: readonly Role[],
  { cell, sequence, hidden, memory }: Layer,
): { all: Term; last: Term; cell: Term | undefined } {
  const start = (index: number) => (roles[index] as { start: Term }).start;
  const starts = [hidden, ...(memory === undefined ? [] : [memory])].map(start);
  const states = starts.every(isZero) ? [] : starts.map((term) => e.value(unsqueeze(e, term, [0])));
  const weights = [cell.input, cell.recurrent, cell.bias].map((tensor) => e.value(e.constant(tensor)));
  const attributes = { hidden_size: cell.units, ...(cell.op === "GRU" ? { linear_before_reset: 1 } : {}) };
  const node = e.node(
    cell.op,
    [e.value(sequence), ...weights, null, ...states],
    attributes,
    cell.op === "LSTM" ? 3 : 2,
  );
  const [steps, batch] = sequence.shape as [Term["shape"][number], Term["shape"][number]];
  const one = (index: number) => e.term(node.outputs[index]!, "float32", [1, batch, cell.units]);
  const all = squeeze(e, e.term(node.output, "float32", [steps, 1, batch, cell.units]), [1]);
  return { all, last: one(1), cell: cell.op === "LSTM" ? one(2) : undefined };
}

/** The list that the cell reads its input from, element by element. */
function sequenceOf(call: Call, { read }: Cell, isCounter: (value: Value) => boolean): Term | undefined {
  const [data, index] = [read.input(0), read.input(1)];
  if (!data || !index || !isCounter(index)) return undefined;
  const list = call.slots.find(
    (slot): slot is List => !isTerm(slot) && slot.kind === "list" && slot.stacked?.value === data,
  );
  const stacked = list?.stacked;
  const fits =
    stacked &&
    stacked.shape.length === 3 &&
    stacked.dtype === "float32" &&
    read.int("axis", 0) === storedAxis(stacked, 0);
  return fits ? stacked : undefined;
}

/** Whether the loop ends exactly behind the last element: its counters are below limits of which the least is the length. */
function runsThrough(
  call: Call,
  roles: readonly Role[],
  counters: readonly number[],
  length: Term["shape"][number],
): boolean {
  const condition = call.world.function(call.attributes.func("cond"));
  const open = [producerOf(condition, condition.outputs[0]!)];
  let found = false;
  for (let at = 0; at < open.length && at < 16; at++) {
    const node = open[at];
    if (node?.op === "LogicalAnd") {
      open.push(...node.inputs.map((input) => producerOf(condition, input)));
      continue;
    }
    const [left, right] = node?.inputs ?? [];
    if (node?.op !== "Less" || !left || !right || !counters.includes(argumentOf(condition, left))) return false;
    const index = argumentOf(condition, right);
    const slot = call.slots[index];
    const constant = producerOf(condition, right);
    const limit =
      index < 0
        ? constant?.op === "Const"
          ? constant.attributes.tensor("value").numbers()[0]
          : undefined
        : roles[index]?.kind === "same" && slot && isTerm(slot)
          ? (known(slot.content)?.[0] ?? slot.content?.[0])
          : undefined;
    if (limit === undefined || limit === null || length === null) return false;
    if (limit === length) found = true;
    else if (typeof limit !== "number" || typeof length !== "number" || limit < length) return false;
  }
  return found;
}
