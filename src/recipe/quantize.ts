/** Post-training quantization, end to end in memory: a float model, data and a recipe in; the model that ships out. */
import { AvocetError, type Checkpoint, throwIfAborted, type Work } from "../base/index.ts";
import { type Dataset, samples } from "../data/index.ts";
import { cloneModel, type Model } from "../ir/index.ts";
import { normalise } from "../passes/index.ts";
import { lower } from "../quant/index.ts";
import type { Runtime } from "../runtime/index.ts";
import { dataFreeQuantization } from "./data-free.ts";
import { dataFreeContext } from "./data-free-recipe.ts";
import { judgeOn } from "./judge.ts";
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
  const judge = careful ? await judgeOn(normalised, chosen, runtime, options) : null;
  const stages = new Stages({ recipe, target, runtime, data: judge?.training ?? chosen, options });
  const reports: StepReport[] = passes.map((pass) => ({
    step: pass.pass,
    edits: pass.edits,
    seconds: pass.milliseconds / 1000,
    notes: pass.refusals.map((refusal) => `${refusal.node}: ${refusal.reason}`),
  }));
  throwIfAborted(options);
  let float = normalised;
  let done = 0;
  // Ranges of a model that the next preparation changes are worth nothing, unless the step is judged.
  for (const step of judge ? [] : steps) {
    if (step.kind !== "prepare") break;
    const prepared = await stages.prepare(step, float);
    float = prepared.model;
    reports.push(prepared.report);
    done++;
  }
  const prepare = clock();
  let state = await stages.start(float);
  let score = judge ? await judge.score(state) : 0;
  const calibrated = clock();
  for (const step of steps.slice(done)) {
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
