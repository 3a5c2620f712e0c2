/** The stages between a normalised float model and a filled plan: tracing, placement, calibration, methods. */
import { type Checkpoint, checkpointUnder, remembered, throwIfAborted, type Work } from "../base/inner.ts";
import type { Dataset } from "../data/inner.ts";
import type { Model, TensorType } from "../ir/inner.ts";
import type { MethodReport, State as MethodState } from "../methods/inner.ts";
import {
  builtinTarget,
  calibrate,
  type Plan,
  parseTarget,
  type Scheme,
  type Target,
  type ValueStatistics,
} from "../quant/inner.ts";
import { firstSample, type Runtime, traceShapes } from "../runtime/inner.ts";
import type { Step } from "./methods.ts";
import { granularityOf, placedBy } from "./placement.ts";
import type { Quantized } from "./quantized.ts";
import type { Recipe } from "./schema.ts";

/** Where a run stands: float models, and a plan with encodings for them. */
export interface State extends MethodState {
  readonly plan: Plan;
  readonly statistics: readonly ValueStatistics[];
  readonly shapes: ReadonlyMap<string, TensorType>;
}

export interface StagesRun {
  readonly state: State;
  /** In the order of the steps, which have their preparations first. */
  readonly reports: readonly MethodReport[];
  readonly seconds: Quantized["seconds"];
}

export interface StageOptions {
  readonly recipe: Recipe;
  readonly target: Target;
  readonly runtime: Runtime;
  readonly data: Dataset;
  readonly options: Work & { readonly threads?: number; readonly checkpoint?: Checkpoint };
}

/**
 * Each stage is the same function of what came before it whenever it runs, so that a checkpoint need not hold the models
 * between: preparations are done again, and what takes long (calibration, decided layers) is taken from the checkpoint.
 */
export class Stages {
  readonly #given: StageOptions;
  #steps = 0;

  constructor(given: StageOptions) {
    this.#given = given;
  }

  /** Traces, places and calibrates a float model. */
  async start(model: Model, checkpoint = this.#checkpointOf("start")): Promise<State> {
    const { runtime, data, options } = this.#given;
    const shapes = await traceShapes(model, runtime, await firstSample(data, options.signal));
    const plan = placedBy(this.#given.recipe, model, this.#given.target, shapes);
    return this.#calibrated({ prepared: model, decided: model, plan }, shapes, checkpoint);
  }

  /**
   * The state after these steps, with a report of each. Preparations come first: ranges of a model that the next one changes are
   * worth nothing.
   */
  async run(model: Model, steps: readonly Step[]): Promise<StagesRun> {
    const clock = stopwatch();
    const reports: MethodReport[] = [];
    let float = model;
    for (const step of steps) {
      if (step.kind !== "prepare") continue;
      throwIfAborted(this.#given.options);
      this.#steps++;
      const { prepared = float, report } = await step.run({ prepared: float, decided: float }, this.#context());
      float = prepared;
      reports.push(report);
    }
    const prepare = clock();
    let state = await this.start(float);
    const calibrate = clock();
    for (const step of steps) {
      if (step.kind !== "solve") continue;
      throwIfAborted(this.#given.options);
      const applied = await this.apply(step, state);
      state = applied.state;
      reports.push(applied.report);
    }
    return { state, reports, seconds: { prepare, calibrate, methods: clock() } };
  }

  /** The state after a step. Rounded weights change what flows, so that ranges are observed again. */
  async apply(step: Step, state: State): Promise<{ state: State; report: MethodReport }> {
    const checkpoint = this.#checkpointOf(`${++this.#steps}-${step.name}`);
    const { prepared, decided, plan, report } = await step.run(state, { ...this.#context(), checkpoint });
    if (step.kind === "prepare") {
      return { state: report.edits === 0 || !prepared ? state : await this.start(prepared, checkpoint), report };
    }
    const next = { prepared: state.prepared, decided: decided ?? state.decided, plan: plan ?? state.plan };
    return { state: await this.#calibrated(next, state.shapes, checkpoint), report };
  }

  async #calibrated(
    { prepared, decided, plan: placed }: Pick<State, "prepared" | "decided" | "plan">,
    shapes: State["shapes"],
    checkpoint: Checkpoint | undefined,
  ): Promise<State> {
    const { recipe, runtime, data, options } = this.#given;
    const { plan, statistics } = await remembered(checkpoint, "calibrated", () =>
      calibrate(decided, placed, runtime, data, {
        scheme: recipe.calibration as Scheme,
        shapes,
        ...(recipe.batch ? { batch: recipe.batch } : {}),
        ...(options.threads ? { session: { threads: options.threads } } : {}),
        signal: options.signal,
        onProgress: options.onProgress,
      }),
    );
    return { prepared, decided, plan, statistics, shapes };
  }

  #checkpointOf(name: string): Checkpoint | undefined {
    const { checkpoint } = this.#given.options;
    return checkpoint && checkpointUnder(checkpoint, name);
  }

  #context() {
    const { recipe, target, runtime, data, options } = this.#given;
    return {
      runtime,
      data,
      target,
      calibration: recipe.calibration as Scheme,
      granularity: granularityOf(recipe.granularity),
      seed: recipe.seed,
      batch: recipe.batch,
      threads: options.threads,
      signal: options.signal,
      onProgress: options.onProgress,
    };
  }
}

/** The target of a recipe: a built-in one, or the file that was given. */
export function targetOf({ target }: Recipe): Target {
  return typeof target === "string" ? builtinTarget(target) : parseTarget(target, "recipe");
}

/** Seconds since the last call. */
export function stopwatch(): () => number {
  let last = performance.now();
  return () => {
    const now = performance.now();
    const seconds = (now - last) / 1000;
    last = now;
    return seconds;
  };
}
