/** The stages between a normalised float model and a filled plan: preparing, placement, ranges, methods, training. */
import { type Checkpoint, checkpointUnder, stopwatch, throwIfAborted } from "../base/inner.ts";
import type { Dataset } from "../data/inner.ts";
import type { Model } from "../ir/inner.ts";
import { type MethodReport, type State as MethodState, type StepContext, shapesFor } from "../methods/inner.ts";
import type { NormaliseOptions } from "../passes/inner.ts";
import { builtinTarget, type Plan, type Scheme, type Target, type ValueStatistics } from "../quant/inner.ts";
import { parseTarget } from "../quant/inner-files.ts";
import type { Runtime } from "../runtime/inner.ts";
import type { Step } from "./methods.ts";
import { granularityOf, placedBy } from "./placement.ts";
import type { QuantizeOptions } from "./quantize-options.ts";
import type { Quantized } from "./quantized.ts";
import { byBatchNorms, byData, byStatistics, type Ranged, type Ranging, type Shapes } from "./ranging.ts";
import type { Recipe } from "./schema.ts";

/** Where a run stands: float models, and a plan with encodings for them. */
export interface State extends MethodState {
  readonly plan: Plan;
  readonly statistics: readonly ValueStatistics[];
  readonly shapes: Shapes;
}

export interface StagesRun {
  readonly state: State;
  /** After preparations and ranges, before anything was decided. */
  readonly ranged: State;
  /** What each step did, in their order; ranges have a report where they follow from the model. */
  readonly reports: ReadonlyMap<Step, MethodReport>;
  readonly ranging?: MethodReport | undefined;
  readonly seconds: Quantized["seconds"];
}

export interface StageOptions extends Pick<StepContext, "inputs" | "labels" | "teacher" | "onEpoch"> {
  readonly recipe: Recipe;
  readonly target: Target;
  readonly runtime: Runtime;
  /** Null: ranges follow from statistics, or from batch norms. */
  readonly data: Dataset | null;
  /** What steps that decide weights and biases look at, when the rest is to judge them. Default: all of the data. */
  readonly solvedOn?: Dataset;
  readonly options: QuantizeOptions;
}

/**
 * Each stage is the same function of what came before it whenever it runs, so that a checkpoint need not hold the models
 * between: preparations are done again, and what takes long (calibration, decided layers) is taken from the checkpoint.
 */
export class Stages {
  readonly #given: StageOptions;
  readonly #ranging: Ranging;
  #steps = 0;

  constructor(given: StageOptions) {
    this.#given = given;
    this.#ranging = rangingOf(given);
  }

  /** Traces and places a float model, and finds its ranges. */
  async start(models: Pick<State, "source" | "prepared">, name = "start"): Promise<State & Pick<Ranged, "report">> {
    const { source, prepared } = models;
    const shapes = await shapesFor(prepared, this.#context());
    const { recipe, target } = this.#given;
    const exactScales = this.#ranging.exactScales(recipe.calibration as Scheme);
    const plan = placedBy(recipe, prepared, target, shapes, { exactScales });
    return await this.#ranged({ source, prepared, decided: prepared, plan }, shapes, this.#checkpointOf(name));
  }

  /**
   * The state after these steps, with a report of each. Preparations come first: ranges of a model that the next one changes are
   * worth nothing.
   */
  async run(source: Model, steps: readonly Step[]): Promise<StagesRun> {
    const clock = stopwatch();
    const reports = new Map<Step, MethodReport>();
    let float = source;
    for (const step of steps) {
      if (step.kind !== "prepare") continue;
      throwIfAborted(this.#given.options);
      this.#steps++;
      const before = { source, prepared: float, decided: float };
      const { prepared = float, report } = await step.run(before, this.#context());
      float = prepared;
      reports.set(step, report);
    }
    const prepare = clock();
    const { report: ranging, ...started } = await this.start({ source, prepared: float });
    const ranged: State = started;
    let state = ranged;
    const calibrate = clock();
    for (const step of steps) {
      if (step.kind === "prepare") continue;
      throwIfAborted(this.#given.options);
      const applied = await this.apply(step, state);
      state = applied.state;
      reports.set(step, applied.report);
    }
    return { state, ranged, reports, ranging, seconds: { prepare, calibrate, methods: clock() } };
  }

  /** The state after a step. What it decided changes what is observed, but for training, which learns ranges with the weights. */
  async apply(step: Step, state: State): Promise<{ state: State; report: MethodReport }> {
    const name = `${++this.#steps}-${step.name}`;
    const checkpoint = this.#checkpointOf(name);
    const { prepared, decided, plan, rangesHold, report } = await step.run(state, {
      ...this.#context(),
      ...(step.kind === "solve" && this.#given.solvedOn ? { data: this.#given.solvedOn } : {}),
      checkpoint,
    });
    if (step.kind === "prepare") {
      if (report.edits === 0 || !prepared) return { state, report };
      const { report: _, ...started } = await this.start({ source: state.source, prepared }, name);
      return { state: started, report };
    }
    const next = { ...state, decided: decided ?? state.decided, plan: plan ?? state.plan };
    const hold = step.kind === "train" || !this.#ranging.again || rangesHold || report.edits === 0;
    if (hold) return { state: next, report };
    return { state: await this.#ranged(next, state.shapes, checkpoint), report };
  }

  async #ranged(
    { source, prepared, decided, plan: placed }: Pick<State, "source" | "prepared" | "decided" | "plan">,
    shapes: Shapes,
    checkpoint: Checkpoint | undefined,
  ): Promise<State & Pick<Ranged, "report">> {
    const ranged = await this.#ranging.fill(decided, placed, shapes, { ...this.#context(), checkpoint });
    return { source, prepared, decided, shapes, ...ranged };
  }

  #checkpointOf(name: string): Checkpoint | undefined {
    const { checkpoint } = this.#given.options;
    return checkpoint && checkpointUnder(checkpoint, name);
  }

  #context(): StepContext {
    const { recipe, target, runtime, data, inputs, labels, teacher, onEpoch, options } = this.#given;
    return {
      runtime,
      data: data ?? undefined,
      inputs,
      target,
      calibration: recipe.calibration as Scheme,
      granularity: granularityOf(recipe.granularity),
      seed: recipe.seed,
      batch: recipe.batch,
      labels,
      teacher,
      onEpoch,
      threads: options.threads,
      signal: options.signal,
      onProgress: options.onProgress,
    };
  }
}

function rangingOf({ data, options: { statistics } }: Pick<StageOptions, "data" | "options">): Ranging {
  if (statistics) return byStatistics(statistics);
  return data ? byData(data) : byBatchNorms;
}

/** The target of a recipe: a built-in one, or the file that was given. */
export function targetOf({ target }: Recipe): Target {
  return typeof target === "string" ? builtinTarget(target) : parseTarget(target, "recipe");
}

/** How a model is normalised for a recipe. Cells become operators where the target has an integer kernel of one, and the form does not rule it out. */
export function normalOf({ form }: Recipe, target: Target): Pick<NormaliseOptions, "cells"> {
  return { cells: target.storage.includes("dynamicquantizelstm") && (form === undefined || form === "dynamic") };
}
