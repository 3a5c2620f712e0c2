/** Post-training quantization, end to end in memory: a float model, data and a recipe in; the model that ships out. */
import { AvocetError, type Checkpoint, throwIfAborted, type Work } from "../base/index.ts";
import { type Dataset, samples } from "../data/index.ts";
import { cloneModel, type Model } from "../ir/index.ts";
import { normalise } from "../passes/index.ts";
import { lower } from "../quant/index.ts";
import type { Runtime } from "../runtime/index.ts";
import { chooseSteps, type Verdict } from "./choose.ts";
import { dataFreeQuantization } from "./data-free.ts";
import { dataFreeContext } from "./data-free-recipe.ts";
import { isDataFree, stepsOf } from "./presets.ts";
import type { Quantized, StepReport } from "./quantized.ts";
import type { Recipe } from "./schema.ts";
import { Stages, targetOf } from "./stages.ts";

export interface QuantizeOptions extends Work {
  readonly threads?: number;
  /**
   * Where what is finished is kept, and taken from when the same run starts again: calibrations, and each layer that a method
   * decided. It must be of this very run: see `openCheckpointFolder`.
   */
  readonly checkpoint?: Checkpoint;
}

/**
 * Normalises, runs the recipe's methods around placement and calibration, and lowers. The given model is not changed.
 * Without data (null) only the preset `data-free` can work; it never looks at data. Throws what the stages throw:
 * `quant/already-quantized`, `quant/nothing-to-quantize`, `quant/not-calibrated` (no range without data), `data/none`,
 * `data/wrong-shape`, `data/not-finite`, `recipe/invalid` …
 */
export async function quantizeModel(
  model: Model,
  data: Dataset | null,
  recipe: Recipe,
  runtime: Runtime,
  options: QuantizeOptions = {},
): Promise<Quantized> {
  const clock = stopwatch();
  if (isDataFree(recipe)) return await dataFreeQuantization(model, dataFreeContext(recipe, runtime, options));
  const { steps, careful } = stepsOf(recipe);
  if (!data) {
    throw new AvocetError("data/none", "expected calibration data, got none", {
      at: model.source ?? model.graph.name,
      hint: 'preset "data-free" needs none',
    });
  }
  const target = targetOf(recipe);
  const chosen = samples(data, recipe.samples);
  const normalised = cloneModel(model);
  const passes = await normalise(normalised, { runtime });
  const given = { recipe, target, runtime, data: chosen, options };
  const reports: StepReport[] = passes.map((pass) => ({
    step: pass.pass,
    edits: pass.edits,
    seconds: pass.milliseconds / 1000,
    notes: pass.refusals.map((refusal) => `${refusal.node}: ${refusal.reason}`),
  }));
  throwIfAborted(options);
  const normalising = clock();
  const verdicts = careful ? await chooseSteps(normalised, steps, given) : [];
  const choosing = clock();
  const stages = new Stages(given);
  const judged = steps.map((step, i) => ({ step, verdict: verdicts[i] }));
  const tell = (verdict: Verdict | undefined, report: StepReport) =>
    void reports.push(verdict ? { ...report, notes: [verdict.note, ...report.notes] } : report);
  let float = normalised;
  // Ranges of a model that the next preparation changes are worth nothing, so all of them come first.
  for (const { step, verdict } of judged) {
    if (step.kind !== "prepare") continue;
    throwIfAborted(options);
    const { model, report } =
      verdict?.kept === false ? { model: float, report: undone(verdict) } : await stages.prepare(step, float);
    float = model;
    tell(verdict, report);
  }
  const preparing = normalising + clock();
  let state = await stages.start(float);
  const calibrating = clock();
  for (const { step, verdict } of judged) {
    if (step.kind === "prepare") continue;
    throwIfAborted(options);
    const { state: next, report } =
      verdict?.kept === false ? { state, report: undone(verdict) } : await stages.apply(step, state);
    state = next;
    tell(verdict, report);
  }
  return {
    float: state.model,
    plan: state.plan,
    shipped: lower(state.model, state.plan),
    statistics: state.statistics,
    shapes: state.shapes,
    target,
    steps: reports,
    seconds: { prepare: preparing, calibrate: calibrating, methods: choosing + clock() },
  };
}

/** What is told of a step that did not help. */
function undone({ report }: Verdict): StepReport {
  return { ...report, edits: 0 };
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
