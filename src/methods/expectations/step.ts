/** One step of the walk: a node, what is known in front of it, and what a rule makes of that. */
import type { Node, Value } from "../../ir/inner.ts";
import type { Expectation } from "./expectation.ts";

export interface Shapes {
  /** The lengths where they are known numbers. */
  of(value: Value | null): readonly number[] | undefined;
  rank(value: Value | null): number | undefined;
}

export interface Step {
  readonly node: Node;
  /** Which output is asked for. */
  readonly index: number;
  readonly shapes: Shapes;
  /** How many standard deviations are taken to be reached. */
  readonly deviations: number;
  /** What is expected of the values in front. */
  readonly found: ReadonlyMap<Value, Expectation>;
  /** An operand as the output sees it: its axis counted in the output's axes; constants by their elements. */
  operand(value: Value | null): Expectation;
}

/** What is expected of the output, where something is known of every input; a reason or undefined where nothing follows. */
export type Rule = (step: Step) => Expectation | string | undefined;

export interface ExpectationRow {
  /** What is known whatever the inputs are; it goes first. */
  readonly anyway?: (step: Step) => Expectation | undefined;
  readonly rule?: Rule;
}

/** The first input, as the output sees it. */
export const operandOf = (step: Step): Expectation => step.operand(step.node.input(0));
