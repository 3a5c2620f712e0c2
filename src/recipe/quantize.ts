/** Post-training quantization, end to end in memory: a float model, data and a recipe in; the model that ships out. */
import { throwIfAborted, type Work } from "../base/index.ts";
import { type Dataset, samples } from "../data/index.ts";
import { cloneModel, type Model, type TensorType } from "../ir/index.ts";
import type { MethodReport } from "../methods/index.ts";
import { normalise } from "../passes/index.ts";
import { builtinTarget, lower, type Plan, parseTarget, type Target, type ValueStatistics } from "../quant/index.ts";
import type { Runtime } from "../runtime/index.ts";
import { judgeOn } from "./judge.ts";
import { stepsOf } from "./presets.ts";
import type { Recipe } from "./schema.ts";
import { Stages } from "./stages.ts";

/** What one step of a recipe did, for people and for the report. */
export type StepReport = MethodReport;

export interface QuantizeOptions extends Work {
  readonly threads?: number;
}

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

/**
 * Normalises, runs the recipe's methods around placement and calibration, and lowers. The given model is not changed.
 * Throws what the stages throw: `quant/already-quantized`, `quant/nothing-to-quantize`, `data/none`, `data/wrong-shape`,
 * `data/not-finite`, `recipe/invalid` …
 */
export async function quantizeModel(
  model: Model,
  data: Dataset,
  recipe: Recipe,
  runtime: Runtime,
  options: QuantizeOptions = {},
): Promise<Quantized> {
  const clock = stopwatch();
  const { steps, careful } = stepsOf(recipe);
  const target =
    typeof recipe.target === "string" ? builtinTarget(recipe.target) : parseTarget(recipe.target, "recipe");
  const chosen = samples(data, recipe.samples);
  const normalised = cloneModel(model);
  const passes = await normalise(normalised, { runtime });
  const judge = careful ? await judgeOn(normalised, chosen, runtime, options) : null;
  const stages = new Stages({ recipe, target, runtime, data: judge?.training ?? chosen, options });
  const reports: StepReport[] = passes.map((pass) => ({
    step: pass.pass,
    edits: pass.edits,
    seconds: pass.milliseconds / 1000,
    notes: pass.refusals.map((refusal) => `${refusal.node}: ${refusal.reason}`),
  }));
  throwIfAborted(options);
  const prepare = clock();
  let state = await stages.start(normalised);
  let score = judge ? await judge.score(state) : 0;
  const calibrated = clock();
  for (const step of steps) {
    throwIfAborted(options);
    const { state: next, report } = await stages.apply(step, state);
    const reached = judge ? await judge.score(next) : 0;
    const kept = !judge || reached >= score;
    const verdict = judge
      ? [`${kept ? "kept" : "undone"}: output SQNR ${score.toFixed(2)} → ${reached.toFixed(2)} dB on samples set aside`]
      : [];
    reports.push({ ...report, edits: kept ? report.edits : 0, notes: [...verdict, ...report.notes] });
    if (!kept) continue;
    state = next;
    score = reached;
  }
  return {
    float: state.model,
    plan: state.plan,
    shipped: lower(state.model, state.plan),
    statistics: state.statistics,
    shapes: state.shapes,
    target,
    steps: reports,
    seconds: { prepare, calibrate: calibrated, methods: clock() },
  };
}

/** Seconds since the last call. */
function stopwatch(): () => number {
  let last = performance.now();
  return () => {
    const now = performance.now();
    const seconds = (now - last) / 1000;
    last = now;
    return seconds;
  };
}
