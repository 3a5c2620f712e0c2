/** What quantization gives back, whichever way it went. */
import type { Model, TensorType } from "../ir/index.ts";
import type { MethodReport } from "../methods/index.ts";
import type { Plan, Target, ValueStatistics } from "../quant/index.ts";

/** What one step of a recipe did, for people and for the report. */
export type StepReport = MethodReport;

export interface Quantized {
  /** The float model after normalising: the plan's names are its values. */
  readonly float: Model;
  readonly plan: Plan;
  /** The model that ships: standard operators with Q/DQ. */
  readonly shipped: Model;
  readonly statistics: readonly ValueStatistics[];
  /** Traced on one sample: value name → type. */
  readonly shapes: ReadonlyMap<string, TensorType>;
  readonly target: Target;
  readonly steps: readonly StepReport[];
  readonly seconds: { readonly prepare: number; readonly calibrate: number; readonly methods: number };
}
