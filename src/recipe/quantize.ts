/** Post-training quantization, end to end in memory: a float model, data and a recipe in; the model that ships out. */
import { AvocetError, type Checkpoint, expectArguments, throwIfAborted, type Work } from "../base/inner.ts";
import { type Dataset, samples } from "../data/inner.ts";
import { cloneModel, type Model } from "../ir/inner.ts";
import { normalise } from "../passes/inner.ts";
import { lower, type Plan, refuseUnfit } from "../quant/inner.ts";
import type { Runtime } from "../runtime/inner.ts";
import { chooseSteps } from "./choose.ts";
import { dataFreeQuantization, inputsOf } from "./data-free.ts";
import { dataFreeContext } from "./data-free-recipe.ts";
import { tryDraft } from "./draft.ts";
import { fitData } from "./fit-data.ts";
import { observedInputs } from "./observed-inputs.ts";
import { placeChoices, planOf } from "./placement.ts";
import { isDataFree, stepsOf } from "./presets.ts";
import type { Quantized, StepReport } from "./quantized.ts";
import type { Recipe } from "./schema.ts";
import { Stages, stopwatch, targetOf } from "./stages.ts";

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
 * Without data (null) only the preset `data-free` can work; it looks at data only for the range of inputs that nothing else tells. Throws what the stages throw:
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
  expectArguments("quantizeModel(model, data, recipe, runtime)", {
    model: [model, "model"],
    ...(data !== null && { data: [data, "dataset"] }),
    recipe: [recipe, "recipe"],
    runtime: [runtime, "runtime"],
  });
  const clock = stopwatch();
  placeChoices(recipe);
  planOf(recipe);
  if (isDataFree(recipe)) return await withoutCalibration(model, data, recipe, runtime, options);
  const { steps, careful } = stepsOf(recipe);
  if (!data) {
    throw new AvocetError("data/none", "expected calibration data, got none", {
      at: model.source ?? model.graph.name,
      hint: 'preset "data-free" needs none',
    });
  }
  const target = targetOf(recipe);
  const chosen = samples(await fitData(model, data, recipe, runtime, options), recipe.samples);
  const normalised = cloneModel(model);
  const passes = await normalise(normalised, { runtime });
  // Before anything is run: a runtime that cannot run such a model would tell of its own reasons.
  refuseUnfit(normalised);
  const given = { recipe, target, runtime, data: chosen, options };
  const reports: StepReport[] = passes.map((pass) => ({
    step: pass.pass,
    edits: pass.edits,
    seconds: pass.milliseconds / 1000,
    notes: [...pass.notes, ...pass.refusals].map((refusal) => `${refusal.node}: ${refusal.reason}`),
  }));
  throwIfAborted(options);
  const draft = await tryDraft(normalised, given);
  reports.push(...placementReport(draft, recipe));
  const normalising = clock();
  const verdicts = careful ? await chooseSteps(normalised, steps, given) : [];
  const choosing = clock();
  const kept = steps.filter((_, i) => verdicts[i]?.kept !== false);
  const { state, reports: done, seconds } = await new Stages(given).run(normalised, kept);
  const left = [...done];
  const told = steps.map((_, i) => {
    const verdict = verdicts[i];
    if (!verdict) return left.shift()!;
    const report = verdict.kept ? left.shift()! : { ...verdict.report, edits: 0 };
    return { ...report, notes: [verdict.note, ...report.notes] };
  });
  const lowered = lower(state.decided, state.plan);
  return {
    prepared: state.prepared,
    decided: state.decided,
    plan: state.plan,
    lowered,
    shipped: lowered.model,
    statistics: state.statistics,
    shapes: state.shapes,
    target,
    steps: [...reports, ...told],
    seconds: { ...seconds, prepare: normalising + seconds.prepare, methods: choosing + seconds.methods },
  };
}

/** The preset `data-free`. */
async function withoutCalibration(
  model: Model,
  data: Dataset | null,
  recipe: Recipe,
  runtime: Runtime,
  options: QuantizeOptions,
): Promise<Quantized> {
  const context = dataFreeContext(recipe, runtime, options);
  if (!data) return await dataFreeQuantization(model, context);
  const known = inputsOf(model, context);
  const fitted = await fitData(model, data, recipe, runtime, options);
  const { inputs, report } = await observedInputs(model, fitted, new Set(known.keys()), options.signal);
  const made = await dataFreeQuantization(model, { ...context, inputs: { ...context.inputs, ...inputs } });
  return report.edits === 0 ? made : { ...made, steps: [report, ...made.steps] };
}

/** What placement could not do as it was asked to: weights without the blocks that were wanted, rules that disagree. Else nothing. */
function placementReport(plan: Plan, { granularity, grids }: Recipe): StepReport[] {
  const blocks = [granularity, ...grids.map((rule) => rule.granularity)].some((one) => one?.startsWith("block"));
  const notes = [...plan.entries, ...plan.left].flatMap(({ value, reason }) => {
    const told = [
      blocks ? /(?:one scale|a scale per channel): [^;]+/.exec(reason) : null,
      grids.length > 0 ? /it is [^;]+ asks, and not .+$|[^;]+ asks, needs a quantizer$/.exec(reason) : null,
    ];
    return told.flatMap((match) => (match ? [`${value}: ${match[0].trim()}`] : []));
  });
  return notes.length === 0 ? [] : [{ step: "place", edits: plan.entries.length, seconds: 0, notes }];
}
