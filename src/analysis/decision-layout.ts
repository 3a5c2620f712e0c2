/** Where an output of a known meaning and shape holds its decisions, and what one of them is about. */
import type { Tensor } from "../tensor/inner.ts";
import { argmaxClasses, type ScoreLayout } from "./classes.ts";
import type { OutputMeaning } from "./output-meaning.ts";

/** What one decision is about: a whole sample, a pixel of it, or a position in it (a frame, a token). */
export type DecisionUnit = "samples" | "pixels" | "positions";

export interface Decisions {
  /** Null: the numbers are classes themselves. */
  readonly layout: ScoreLayout | null;
  readonly unit: DecisionUnit;
}

/** Null where an output of this shape holds no classes. */
export function decisionLayout(meaning: OutputMeaning, shape: readonly number[]): Decisions | null {
  // Axes of one element around the classes are what exporters leave of pooled images.
  const wide = shape.flatMap((length, axis) => (axis > 0 && length > 1 ? [axis] : []));
  if (meaning.kind === "choices") return { layout: null, unit: unitOf(wide.length) };
  if (meaning.kind !== "scores" || shape.length < 2) return null;
  const alone = wide.length === 1 ? wide[0] : undefined;
  if (!meaning.sure && alone === undefined && !(meaning.axis === -1 && shape.length === 3)) return null;
  const named = meaning.axis < 0 ? meaning.axis + shape.length : meaning.axis;
  const axis = !meaning.sure || shape[named] === 1 ? (alone ?? named) : named;
  if (!(axis >= 1 && axis < shape.length)) return null;
  const size = (from: number, to?: number) => shape.slice(from, to).reduce((a, b) => a * b, 1);
  const layout = meaning.joint
    ? { outer: size(0, axis), classes: size(axis), inner: 1 }
    : { outer: size(0, axis), classes: shape[axis]!, inner: size(axis + 1) };
  if (layout.classes < 2) return null;
  return { layout, unit: unitOf(wide.filter((other) => other < axis || (other > axis && !meaning.joint)).length) };
}

/** By the axes along which one sample has several decisions. */
function unitOf(axes: number): DecisionUnit {
  return axes === 0 ? "samples" : axes === 1 ? "positions" : "pixels";
}

/** The class of every decision; −1 where a score is NaN. */
export function decisionsOf(tensor: Tensor, layout: ScoreLayout | null): Int32Array {
  return layout ? argmaxClasses(tensor, layout) : Int32Array.from(tensor.numbers());
}
