/** From a float model to the one that ships: the steps of a recipe, run in the same order whichever way it goes. */
import { AvocetError, stopwatch, throwIfAborted } from "../base/inner.ts";
import { conform, type Dataset, samples } from "../data/inner.ts";
import { cloneModel, type Model } from "../ir/inner.ts";
import type { StepContext } from "../methods/inner.ts";
import { type NormaliseOptions, normalise } from "../passes/inner.ts";
import { lower, type Plan, refuseUnfit } from "../quant/inner.ts";
import { inputPorts, type Runtime } from "../runtime/inner.ts";
import { type Choice, chooseSteps } from "./choose.ts";
import { chooseEqualization } from "./choose-equalization.ts";
import { chooseWhole } from "./choose-whole.ts";
import { tryDraft } from "./draft.ts";
import { fitData } from "./fit-data.ts";
import { forms } from "./forms.ts";
import { halfReport, withHalfRanges } from "./half-precision.ts";
import { knownInputs } from "./known-inputs.ts";
import type { Step } from "./methods.ts";
import { observedInputs } from "./observed-inputs.ts";
import { placeChoices, planOf } from "./placement.ts";
import { isDataFree, stepsOf } from "./presets.ts";
import type { QuantizeOptions } from "./quantize-options.ts";
import type { Quantized, StepReport, TrainedModel } from "./quantized.ts";
import type { Recipe } from "./schema.ts";
import { normalOf, type StageOptions, Stages, type StagesRun, type State, targetOf } from "./stages.ts";
import { trainingSteps } from "./training-options.ts";

export interface MakeRequest {
  readonly model: Model;
  readonly data: Dataset | null;
  readonly recipe: Recipe;
  readonly runtime: Runtime;
  readonly options: QuantizeOptions;
}

/** A source that can be quantized, with what its ranges and methods go by. */
interface Ground {
  readonly source: Model;
  readonly given: StageOptions;
  readonly reports: readonly StepReport[];
  readonly choose: (steps: readonly Step[]) => Promise<Choice>;
}

/** What a run has made so far. */
export interface Made {
  readonly state: State;
  readonly quantized: Quantized;
}

/** Normalises, runs the steps of the recipe around placement and ranges, and lowers. The given model is not changed. */
export async function make(asked: MakeRequest): Promise<Made> {
  const clock = stopwatch();
  const { recipe, options } = asked;
  placeChoices(recipe);
  planOf(recipe);
  const { steps } = stepsOf(recipe);
  const smaller = await compressed(asked);
  const request = smaller ? { ...asked, model: smaller.model } : asked;
  const ground = options.statistics ? onStatistics : isDataFree(recipe) ? withoutData : onData;
  const { source, given, reports, choose } = await ground(request);
  throwIfAborted(options);
  const normalising = clock();
  const choice = await choose(steps);
  const choosing = choice.run ? 0 : clock();
  const kept = steps.filter((step) => choice.verdicts.get(step)?.kept !== false);
  const run = choice.run ?? (await new Stages(given).run(source, kept));
  const { prepare, calibrate, methods } = run.seconds;
  clock();
  const { decided, shapes } = run.state;
  const plan = recipe.plan
    ? run.state.plan
    : await withHalfRanges(run.state.plan, decided, shapes, given.data, request.runtime, options);
  const state = { ...run.state, plan };
  const shipped = shippedOf(state);
  const ranging = clock();
  const quantized = {
    ...shipped,
    target: given.target,
    steps: [
      ...(smaller?.reports ?? []),
      ...reports,
      ...reportsOf(steps, run, choice),
      ...halfReport(shipped.lowered, ranging),
    ],
    seconds: { prepare: normalising + prepare, calibrate, methods: choosing + methods + ranging },
  };
  return { state, quantized };
}

/** What is quantized in the place of the given model, where the recipe compresses it first. Compression is loaded when it is asked for. */
async function compressed({ model, data, recipe, runtime, options }: MakeRequest) {
  const { compression } = recipe;
  if (!compression) return null;
  const { compressFirst } = await import("./compress-first.ts");
  return compressFirst(model, data, { ...recipe, compression }, runtime, options);
}

/** Trains what was made, on all of the data. */
export async function trainMade(
  { state: before, quantized }: Made,
  { recipe, runtime, data, options }: MakeRequest & { readonly data: Dataset },
  { labels, teacher, onEpoch }: Pick<StepContext, "labels" | "teacher" | "onEpoch">,
): Promise<TrainedModel> {
  const clock = stopwatch();
  const given = { recipe, runtime, data, options, labels, teacher, onEpoch, target: quantized.target };
  const stages = new Stages(given);
  const reports: StepReport[] = [];
  let state = before;
  for (const step of trainingSteps(recipe.training)) {
    throwIfAborted(options);
    const { report, ...next } = await stages.apply(step, state);
    state = next.state;
    reports.push(report);
  }
  const { decided, plan, shipped } = quantized;
  return {
    ...quantized,
    ...shippedOf(state),
    steps: [...quantized.steps, ...reports],
    seconds: { ...quantized.seconds, methods: quantized.seconds.methods + clock() },
    before: { decided, plan, shipped },
  };
}

/** Ranges and methods go by calibration data. */
async function onData({ model, data, recipe, runtime, options }: MakeRequest): Promise<Ground> {
  if (!data) {
    throw new AvocetError("data/none", "expected calibration data, got none", {
      at: model.source ?? model.graph.name,
      hint: 'preset "data-free" needs none',
    });
  }
  const target = targetOf(recipe);
  const taken = samples(await fitData(model, data, recipe, runtime, options), recipe.samples);
  const { source, reports } = await normalised(model, runtime, normalOf(recipe, target));
  const chosen = await inTypesOf(source, model, taken, recipe);
  // Before anything is run: a runtime that cannot run such a model would report its own reasons.
  refuseUnfit(source);
  const given = { recipe, target, runtime, data: chosen, options };
  throwIfAborted(options);
  const draft = await tryDraft(source, given);
  return {
    source,
    given,
    reports: [...reports, ...placementReport(draft, recipe)],
    choose: async (steps) => {
      const { judged } = stepsOf(recipe);
      if (judged === "each step") return await chooseSteps(source, steps, given);
      return judged ? await chooseWhole(source, steps, given) : { verdicts: new Map() };
    },
  };
}

/** Ranges go by what was seen elsewhere. Methods would need the data itself. */
async function onStatistics({ model, recipe, runtime, options }: MakeRequest): Promise<Ground> {
  const { steps } = stepsOf(recipe);
  if (steps.length > 0) {
    const names = steps.map(({ name }) => name).join(", ");
    throw new AvocetError("recipe/invalid", `expected no methods next to statistics, got ${names}`, {
      hint: 'they change what was seen, or read data: preset "fast", or data instead of statistics',
    });
  }
  const target = targetOf(recipe);
  const { source, reports } = await normalised(model, runtime, normalOf(recipe, target));
  refuseUnfit(source);
  const given = { recipe, target, runtime, data: null, inputs: knownInputs(source, recipe), options };
  return { source, given, reports, choose: async () => ({ verdicts: new Map() }) };
}

/** The preset `data-free`: data is read for the ranges of inputs alone that nothing else says. */
async function withoutData({ model, data, recipe, runtime, options }: MakeRequest): Promise<Ground> {
  const target = targetOf(recipe);
  const known = data && new Set(knownInputs(model, recipe).keys());
  const seen =
    known && (await observedInputs(model, await fitData(model, data, recipe, runtime, options), known, options.signal));
  const { source, reports } = await normalised(model, runtime, normalOf(recipe, target));
  const inputs = knownInputs(source, recipe, seen?.inputs);
  const given = { recipe, target, runtime, data: null, inputs, options };
  return {
    source,
    given,
    reports: [...(seen && seen.report.edits > 0 ? [seen.report] : []), ...reports],
    choose: (steps) => chooseEqualization(source, steps, given),
  };
}

/** The data in the types that the normalised model takes: one in half precision was widened. */
async function inTypesOf(source: Model, model: Model, data: Dataset, { inputs }: Recipe): Promise<Dataset> {
  const types = ({ graph }: Model) =>
    graph.inputs.map(({ type }) => (type?.kind === "tensor" ? type.dtype : "")).join();
  return types(source) === types(model) ? data : await conform(data, inputPorts(source, inputs));
}

async function normalised(
  model: Model,
  runtime: Runtime,
  options: NormaliseOptions,
): Promise<Pick<Ground, "source" | "reports">> {
  const source = cloneModel(model);
  const passes = await normalise(source, { runtime, ...options });
  const reports = passes.map((pass) => ({
    step: pass.pass,
    edits: pass.edits,
    seconds: pass.milliseconds / 1000,
    notes: [...pass.notes, ...pass.refusals].map((refusal) => `${refusal.node}: ${refusal.reason}`),
  }));
  return { source, reports };
}

function shippedOf({ source, prepared, decided, plan, statistics, shapes }: State) {
  const lowered = lower(decided, plan);
  return { source, prepared, decided, plan, lowered, shipped: lowered.model, statistics, shapes };
}

/** What was done and what was tried, in the order of the steps; ranges stand between preparations and the rest. */
function reportsOf(steps: readonly Step[], { reports, ranging }: StagesRun, { verdicts }: Choice): StepReport[] {
  const reportOf = (step: Step): StepReport[] => {
    const verdict = verdicts.get(step);
    const report = reports.get(step) ?? (verdict && { ...verdict.report, edits: 0 });
    if (!report) return [];
    return [verdict ? { ...report, notes: [verdict.note, ...report.notes] } : report];
  };
  return [
    ...steps.filter(({ kind }) => kind === "prepare").flatMap(reportOf),
    ...(ranging ? [ranging] : []),
    ...steps.filter(({ kind }) => kind !== "prepare").flatMap(reportOf),
  ];
}

/**
 * What placement could not do as it was asked to: weights without the blocks or the form that were wanted, rules that disagree. Else
 * nothing.
 */
function placementReport(plan: Plan, { granularity, grids, form }: Recipe): StepReport[] {
  const wanted = granularity ?? (form && forms[form].granularity);
  const blocks = [wanted, ...grids.map((rule) => rule.granularity)].some((one) => one?.startsWith("block"));
  const stored = form !== undefined && forms[form].storage.length > 0;
  const notes = [...plan.entries, ...plan.notQuantized].flatMap(({ value, reason }) => {
    const found = [
      (blocks ? /(?:one scale|a scale per channel): [^;]+/.exec(reason) : null) ??
        (stored ? /not stored for [^;]+/.exec(reason) : null),
      grids.length > 0 ? /it is [^;]+ asks, and not .+$|[^;]+ asks, needs a quantizer$/.exec(reason) : null,
      /stored as .+$/.exec(reason),
    ];
    return found.flatMap((match) => (match ? [`${value}: ${match[0].trim()}`] : []));
  });
  return notes.length === 0 ? [] : [{ step: "place", edits: plan.entries.length, seconds: 0, notes }];
}
