/** What is known of a value: bounds per channel, or alike for all; and what a rule makes of them. */
import type { Node, Value } from "../../ir/inner.ts";
import { hull, type Intervals, overall, uniform } from "./math.ts";

/** Bounds along one axis; all channels alike where the axis is null (then there is one interval). */
export interface Bounds {
  readonly axis: number | null;
  readonly each: Intervals;
}

/** One output of a node. */
export interface Step {
  readonly node: Node;
  /** Which output. */
  readonly index: number;
  /** The lengths of a value, where they are known numbers. */
  shapeOf(value: Value | null): readonly number[] | undefined;
  rankOf(value: Value | null): number | undefined;
  of(value: Value | null): Bounds;
}

export type BoundsRule = (step: Step) => Bounds;

export const anything: Bounds = { axis: null, each: uniform(1, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY) };

export const alike = (each: Intervals): Bounds => ({ axis: null, each });

/** The bounds of the first input. */
export const inputOf = (step: Step): Bounds => step.of(step.node.input(0));

/** The same for so many channels. */
export function spread({ each }: Bounds, count: number): Intervals {
  return uniform(count, each.lo[0]!, each.hi[0]!);
}

/** One interval around all channels. */
export function single({ each }: Bounds): Intervals {
  const [lo, hi] = overall(each);
  return uniform(1, lo, hi);
}

export function zeroToo(each: Intervals): Intervals {
  return hull(each, uniform(each.lo.length, 0, 0));
}
