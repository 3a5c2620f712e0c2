/** One node of a TensorFlow graph while it is written in ONNX: what its row in a table gets. */
import { known } from "../channels-last/content.ts";
import type { Emitter } from "../channels-last/emitter.ts";
import type { Content, Term } from "../channels-last/term.ts";
import type { Attributes, SourceFunction, SourceNode } from "./graph.ts";
import { type Complex, isTerm, type List, type Slot, type Variable } from "./slots.ts";

/** What rows of control flow ask of the translation that runs them. */
export interface World {
  function(name: string): SourceFunction;
  /** The outputs of a function with these arguments, written into the emitter's graph. */
  call(name: string, args: readonly Slot[], e: Emitter): Slot[];
  /** Data that replaces what the graph says of a constant (TensorFlow.js keeps it in files of its own). */
  constant(node: SourceNode): Term | undefined;
  placeholder(node: SourceNode): Slot;
  variable(node: SourceNode): Variable;
  /** Of a Merge of TensorFlow 1: the condition that its inputs depend on, and which input is there when it holds. */
  condition(node: SourceNode): { readonly predicate: Term; readonly taken: number };
}

export class Call {
  readonly e: Emitter;
  readonly node: SourceNode;
  readonly slots: readonly Slot[];
  readonly world: World;

  constructor(e: Emitter, node: SourceNode, slots: readonly Slot[], world: World) {
    this.e = e;
    this.node = node;
    this.slots = slots;
    this.world = world;
  }

  get attributes(): Attributes {
    return this.node.attributes;
  }

  /** The i-th input, which must be a tensor. */
  term(index: number): Term {
    const slot = this.slots[index];
    if (slot && isTerm(slot)) return slot;
    throw this.e.broken(
      `expected a tensor as input ${index}, got ${slot ? `a ${(slot as { kind: string }).kind}` : "none"}`,
    );
  }

  /** All inputs from the i-th on. */
  terms(from = 0, to = this.slots.length): Term[] {
    return Array.from({ length: Math.max(to - from, 0) }, (_, i) => this.term(from + i));
  }

  complex(index: number): Complex {
    const slot = this.slots[index];
    if (slot && !isTerm(slot) && slot.kind === "complex") return slot;
    throw this.e.broken(`expected a complex tensor as input ${index}`);
  }

  list(index: number): List {
    const slot = this.slots[index];
    if (slot && !isTerm(slot) && slot.kind === "list") return slot;
    throw this.e.broken(`expected a list of tensors as input ${index}`);
  }

  variable(index: number): Variable {
    const slot = this.slots[index];
    if (slot && !isTerm(slot) && slot.kind === "variable") return slot;
    throw this.e.broken(`expected a variable as input ${index}`);
  }

  /** Numbers that have to be known while the model is read; `what` is their role. */
  numbers(index: number, what: string): readonly number[] {
    const all = known(this.term(index).content);
    if (all) return all;
    throw this.e.fail(
      `expected ${what} that do not depend on the model's inputs`,
      "freeze them: export the model with fixed lengths",
    );
  }

  number(index: number, what: string): number {
    const [value, ...more] = this.numbers(index, what);
    if (value !== undefined && more.length === 0) return value;
    throw this.e.broken(`expected one number as ${what}, got ${more.length + 1}`);
  }

  /** A shape that an input holds: numbers, symbolic lengths, null where it is computed. The rank must be known. */
  content(index: number, what: string): Content {
    const term = this.term(index);
    if (term.content) return term.content;
    const length = term.shape[0];
    if (term.shape.length === 1 && typeof length === "number" && length <= 64)
      return Array.from({ length }, () => null);
    throw this.e.fail(`expected ${what} of known rank`, "export the model with fixed lengths");
  }
}

/** A row of the table of operators. */
export interface OperatorRow {
  /** Writes the node; one slot for each output. */
  readonly emit: (call: Call) => Slot | readonly Slot[];
  /** Names of output arguments, as functions refer to them (default: a single one, whatever it is called). */
  readonly outputs?: readonly string[];
  /** What is not taken, for the documentation. */
  readonly limits?: string;
  /** Inputs are not looked at: what only they need is not written. */
  readonly ignoresInputs?: true;
}

export type Family = Readonly<Record<string, OperatorRow>>;
