/** What the variables of a loop are: the same in every round, changing, or lists that each round writes one element of. */
import { known } from "../../channels-last/content.ts";
import type { Emitter } from "../../channels-last/emitter.ts";
import type { Term } from "../../channels-last/term.ts";
import type { Call } from "../call.ts";
import type { Reference, SourceFunction } from "../graph.ts";
import { isTerm, type List, type Slot } from "../slots.ts";

/** What becomes of one variable of a loop. */
export type Role =
  /** The same in every round: the body reads it from outside. */
  | { readonly kind: "same" }
  | { readonly kind: "carried"; readonly start: Term }
  /** A list whose i-th element the i-th round writes, or whose only element every round writes. */
  | { readonly kind: "scanned"; readonly list: List; readonly last: boolean };

/** The argument that a value of the body is, if nothing but Identity lies between. */
export function argumentOf(body: SourceFunction, reference: Reference): number {
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
export function producerOf(body: SourceFunction, reference: Reference) {
  let at = reference;
  for (let steps = 0; steps <= body.nodes.size; steps++) {
    const node = body.nodes.get(at.node);
    if (node?.op !== "Identity" || !node.inputs[0]) return node;
    at = node.inputs[0];
  }
  return undefined;
}

/** Whether a variable begins at zero and each round adds one. */
export function counts(body: SourceFunction, index: number, start: Slot | undefined): boolean {
  if (!start || !isTerm(start) || known(start.content)?.[0] !== 0) return false;
  const node = producerOf(body, body.outputs[index]!);
  if (node?.op !== "AddV2" && node?.op !== "Add") return false;
  const [a, b] = node.inputs.map((input) => ({ arg: argumentOf(body, input), node: producerOf(body, input) }));
  const one = [a, b].find((side) => side?.node?.op === "Const");
  const counter = [a, b].find((side) => side?.arg === index);
  const step = one?.node?.attributes.tensor("value");
  return counter !== undefined && step?.size === 1 && step.numbers()[0] === 1;
}

export function roleOf(call: Call, body: SourceFunction, index: number): Role {
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

/** A body that was written, and what it has of the variables that change. */
export interface Body {
  readonly e: Emitter;
  readonly parameters: ReadonlyMap<number, Term>;
  readonly slots: readonly Slot[];
  readonly goesOn: Term;
}
