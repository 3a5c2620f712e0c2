/** What flows along the edges of a TensorFlow graph: tensors, complex ones as two, and handles, which ONNX does not have. */
import type { Dim } from "../../ir/inner.ts";
import type { DType, Tensor } from "../../tensor/inner.ts";
import type { Term } from "../channels-last/term.ts";

/** A complex tensor is a real and an imaginary one. */
export interface Complex {
  readonly kind: "complex";
  readonly re: Term;
  readonly im: Term;
}

/** A variable: a weight, or a state that the graph writes. */
export interface Variable {
  readonly kind: "variable";
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly Dim[] | undefined;
  /** What was saved; throws where nothing was. */
  readonly initial: () => Tensor;
  /** What is read now. A state begins as an input of the model. */
  now?: Term;
}

/** A list of tensors of one shape: stacked, or empty with a length. */
export interface List {
  readonly kind: "list";
  readonly dtype: DType;
  /** The elements along the first axis; absent while none was written. */
  readonly stacked?: Term;
  /** The number of elements, where nothing was written yet. */
  readonly length?: Term;
  /** The elements one by one, where their number is known and they were written one by one. */
  readonly items?: readonly Term[];
  /** In the body of a loop: a list that each round writes to, and what this round wrote where. */
  readonly loop?: true;
  readonly pending?: { readonly index: Term; readonly item: Term };
}

/** Nothing that anyone reads: what follows only in time. */
export interface Nothing {
  readonly kind: "nothing";
}

/** What could not be translated, or follows from that: said once, where it happened. */
export interface Failed {
  readonly kind: "failed";
}

/** A value that is only there when a condition holds (TensorFlow 1); both sides are computed, Merge chooses. */
export type Slot = Term | Complex | Variable | List | Nothing | Failed;

export const nothing: Nothing = { kind: "nothing" };
export const failed: Failed = { kind: "failed" };

export const isTerm = (slot: Slot): slot is Term => "order" in slot;

/** Whether this could not be written, which was said already. */
export const hasFailed = (slot: Slot): boolean => !isTerm(slot) && slot.kind === "failed";
