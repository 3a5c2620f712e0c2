/**
 * The contract of a method: a model (and a plan) in, a new one out, and a report of what was changed and what was skipped.
 * Preparations change the float model and keep its function; the other methods change weights and encodings together.
 */
import type { Checkpoint, Work } from "../base/inner.ts";
import type { Dataset, Labels } from "../data/inner.ts";
import type { Model } from "../ir/inner.ts";
import type { Plan, Scheme, Target, WeightGranularity } from "../quant/inner.ts";
import type { Runtime } from "../runtime/inner.ts";
import type { Expectation } from "./expectations/expectation.ts";

/** What a preparation may use. Without data it does what needs none. */
export interface PreparationContext extends Work {
  readonly runtime: Runtime;
  /** Calibration samples. What was observed on them is said in the notes. */
  readonly data?: Dataset | undefined;
  /** What is known of the model's inputs, by name (`inputExpectation`): without data, activations follow from it and from batch norms. */
  readonly inputs?: ReadonlyMap<string, Expectation> | undefined;
  /** The target for which the model is prepared; what a preparation costs or gains is measured with its grids. */
  readonly target?: Target | undefined;
  /** What will share one weight scale. Default: what the target prefers. */
  readonly granularity?: WeightGranularity | undefined;
  /** Samples a run. Default: the runtime's choice. */
  readonly batch?: number | undefined;
}

/** What a step of a run works with. */
export interface StepContext extends PreparationContext {
  readonly target: Target;
  /** How ranges are chosen from what was observed. */
  readonly calibration: Scheme;
  readonly seed: number;
  readonly threads?: number | undefined;
  /** Where decided layers are kept, and taken from when an interrupted run starts again. */
  readonly checkpoint?: Checkpoint | undefined;
  /** What is true of each sample of the data. */
  readonly labels?: Labels | undefined;
  /** The float model that training learns from, in the place of the source: another one with the same inputs and outputs. */
  readonly teacher?: Model | undefined;
  /** Called after each epoch of training with the model so far. */
  readonly onEpoch?: OnEpoch | undefined;
}

/** `loss`: the mean of the epoch, counted from 1; `now` returns the model and plan so far. */
export type OnEpoch = (
  epoch: number,
  loss: number,
  now: () => { readonly model: Model; readonly plan: Plan },
) => void | Promise<void>;

/** What a method that decides weights and encodings together works with. */
export interface MethodContext extends StepContext {
  readonly data: Dataset;
}

/** What one step did, for people and for the report. */
export interface MethodReport {
  readonly step: string;
  readonly edits: number;
  readonly seconds: number;
  /** Seconds of parts that are worth knowing apart, by name ("moments"); `seconds` contains them. */
  readonly parts?: Readonly<Record<string, number>>;
  /** Sentences: what was changed, what was skipped or refused, and why. */
  readonly notes: readonly string[];
}

/** What a preparation returns; the model that it was given is unchanged. */
export interface Prepared {
  readonly model: Model;
  readonly report: MethodReport;
}

export interface MethodResult extends Prepared {
  readonly plan: Plan;
  /** Whether ranges that were observed before are as good as new ones. Default false. */
  readonly rangesHold?: boolean;
}
