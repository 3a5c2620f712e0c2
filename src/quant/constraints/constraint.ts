/**
 * A constraint is a demand on scales beyond what was observed: of the arithmetic behind them, or of the runtime that opens the
 * file. It is a row of the list in constraints.ts. A target chooses by what placement marks in the entries of a plan (`pairSafe`,
 * `shortScale`, a bias in int32), so that a plan says all that is to be met.
 */
import type { Model, TensorType, Value } from "../../ir/inner.ts";
import type { Tensor } from "../../tensor/inner.ts";
import type { Encoding } from "../grids/encoding.ts";
import type { Plan, PlanEntry } from "../plan/plan.ts";

/**
 * When constraints are met. "weights": weights have scales, and no data has run. "ranges": every value has. "solved": a method has
 * changed weights and their scales. "file": a file is being written.
 */
export type Stage = "weights" | "ranges" | "solved" | "file";

export interface PlanContext {
  readonly model: Model;
  /** Shapes of values as they run: they tell of how many numbers a global mean is. */
  readonly shapes?: ReadonlyMap<string, TensorType> | undefined;
}

export interface Constraint {
  readonly name: string;
  readonly stages: readonly Stage[];
  /** The plan with scales changed where the constraint is not met. Frozen entries stay, but for what a row says of itself. */
  repair(plan: Plan, context: PlanContext): Plan;
  /** What it asks of the integers of a weight, for methods that choose them. */
  readonly weights?: WeightConstraint;
}

export interface WeightConstraint {
  /** Whether the entry is marked for it. */
  concerns(entry: PlanEntry): boolean;
  /** The least scale of every slice under which it is met. `spanning` says grid and granularity. */
  leastScales(entry: PlanEntry, weight: Value, spanning: Encoding): readonly number[];
  /** Rounded weights with single integers moved until it is met. Values on the grid in, values on the grid out. */
  limited(weight: Value, rounded: Tensor, encoding: Encoding): Tensor;
}
