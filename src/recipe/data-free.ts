/**
 * Quantization without any data (DFQ: Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction",
 * 2019): fold batch norms → dead channels → equalize → place → ranges from batch norms → analytic bias correction → lower.
 */
import { AvocetError, throwIfAborted, type Work } from "../base/inner.ts";
import type { Preprocess } from "../data/inner.ts";
import { cloneModel, type Model } from "../ir/inner.ts";
import {
  correctBiases,
  dataFreeRanges,
  equalizeLayers,
  type InputKnowledge,
  imageInput,
  inputExpectation,
  type MethodReport,
  type PreparationContext,
  type RangeChoice,
  removeDeadChannels,
  shapesFor,
} from "../methods/inner.ts";
import { normalise } from "../passes/inner.ts";
import {
  adoptPlan,
  builtinTarget,
  type Grid,
  type GridRule,
  lower,
  type Plan,
  place,
  type Target,
  type WeightGranularity,
} from "../quant/inner.ts";
import type { Runtime } from "../runtime/inner.ts";
import { noiseFeeds } from "./noise-inputs.ts";
import type { Quantized } from "./quantized.ts";

export interface DataFreeContext extends Work {
  readonly runtime: Runtime;
  /** Default "ort-cpu". */
  readonly target?: Target;
  /** How images become the input: pixels from 0 to 255 tell its range. For models with one input of images. */
  readonly preprocess?: Preprocess | undefined;
  /** The range of each input that is no image, by name. */
  readonly inputs?: Readonly<Record<string, InputKnowledge>> | undefined;
  readonly weights?: Grid | undefined;
  readonly activations?: Grid | undefined;
  readonly granularity?: WeightGranularity | undefined;
  /** What stays in float, as `place` takes it. */
  readonly keepFloat?: readonly string[] | undefined;
  /** Other grids for some layers, as `place` takes them. */
  readonly grids?: readonly GridRule[] | undefined;
  /** A plan in the place of placement. */
  readonly plan?: Plan | undefined;
  /**
   * Whether weights are equalized across layers. Default: with one scale per weight where it helps on noise; scales per
   * channel gain nothing.
   */
  readonly equalize?: boolean | undefined;
  /** Standard deviations that a range covers. Default 6. */
  readonly deviations?: number | undefined;
  readonly ranges?: RangeChoice | undefined;
  /** What becomes of values whose range nothing tells. Default "error", which lists them. */
  readonly unknown?: "error" | "float" | undefined;
}

/**
 * Quantizes a float model of which only preprocessing is known. The given model is not changed. Throws `quant/not-calibrated`
 * listing values whose range cannot be derived (an input that a layer reads and whose range is not given is one), and what
 * placement throws.
 */
export async function dataFreeQuantization(model: Model, context: DataFreeContext): Promise<Quantized> {
  const plain = await attempt(model, context, context.equalize ?? false);
  const perTensor = plain.plan.entries.every((e) => e.kind !== "weight" || e.granularity.kind === "tensor");
  if (context.equalize !== undefined || !perTensor) return plain;
  const untold = untoldInputs(plain, context);
  if (untold.length > 0) return { ...plain, steps: withEqualization(plain, notTried(untold)) };
  // Equalization helps most nets with one scale per weight, and ruins those with channels that hardly vary.
  const equalized = await attempt(model, context, true);
  const before = await onNoise(model, plain, context);
  const after = await onNoise(model, equalized, context);
  const kept = after > before ? equalized : plain;
  const verdict = kept === equalized ? "kept" : "undone";
  const step = equalized.steps.find((report) => report.step === "cross-layer-equalization")!;
  const note = `${verdict}: output SQNR on noise ${before.toFixed(1)} → ${after.toFixed(1)} dB`;
  const report = { ...step, edits: kept === equalized ? step.edits : 0, notes: [note, ...step.notes] };
  return { ...kept, steps: withEqualization(kept, report, step) };
}

/** The steps with what became of equalization before those that fill ranges and correct biases. */
function withEqualization(
  { steps }: Quantized,
  report: MethodReport,
  replaced?: MethodReport,
): readonly MethodReport[] {
  const others = steps.filter((other) => other !== replaced);
  return [...others.slice(0, -2), report, ...others.slice(-2)];
}

/** Inputs of floats for which no noise can be made, so that nothing can be judged on them. */
function untoldInputs({ prepared, shapes }: Quantized, context: DataFreeContext): readonly string[] {
  const known = inputsOf(prepared, context);
  return prepared.graph.inputs
    .filter(({ name, initializer }) => !initializer && shapes.get(name)?.dtype === "float32" && !known.has(name))
    .map(({ name }) => name);
}

function notTried(inputs: readonly string[]): MethodReport {
  const note = `not tried, as nothing tells the range of ${inputs.join(", ")}: --preprocess, the recipe's inputs or --data do`;
  return { step: "cross-layer-equalization", edits: 0, seconds: 0, notes: [note] };
}

/** The ratio of signal to quantization noise at the first float output, in dB, on inputs that are no data; 0 where it cannot be told. */
async function onNoise(
  model: Model,
  { prepared, shipped, shapes }: Quantized,
  context: DataFreeContext,
): Promise<number> {
  const known = inputsOf(prepared, context);
  // Biases of the quantized model's float form are corrected ones: the model as it was given is the reference.
  await using exact = await context.runtime.open(model);
  await using rounded = await context.runtime.open(shipped, { fuseQdq: false });
  const name = model.graph.outputs.find((value) => shapes.get(value.name)?.dtype === "float32")?.name;
  if (name === undefined) return 0;
  let [signal, error] = [0, 0];
  for (let seed = 0; seed < 8; seed++) {
    throwIfAborted(context);
    const feeds = noiseFeeds(prepared, shapes, known, seed);
    if (!feeds) return 0;
    const [wanted, found] = [
      (await exact.run(feeds, [name]))[name]!.floats(),
      (await rounded.run(feeds, [name]))[name]!.floats(),
    ];
    wanted.forEach((value, i) => {
      signal += value * value;
      error += (value - found[i]!) ** 2;
    });
  }
  return 10 * Math.log10(signal / Math.max(error, Number.MIN_VALUE));
}

/** All steps once. */
async function attempt(model: Model, context: DataFreeContext, equalize: boolean): Promise<Quantized> {
  const start = performance.now();
  const { runtime, signal, onProgress, target = builtinTarget("ort-cpu"), granularity } = context;
  const preparation: PreparationContext = { runtime, signal, onProgress, target, granularity };
  let float = cloneModel(model);
  const passes = await normalise(float, { runtime });
  const steps: MethodReport[] = passes.map((pass) => ({
    step: pass.pass,
    edits: pass.edits,
    seconds: pass.milliseconds / 1000,
    notes: [...pass.notes, ...pass.refusals].map((refusal) => `${refusal.node}: ${refusal.reason}`),
  }));
  throwIfAborted(context);
  const inputs = inputsOf(float, context);
  const equalized = (given: Model) => equalizeLayers(given, preparation, { inputs });
  for (const prepare of [removeDeadChannels, ...(equalize ? [equalized] : [])]) {
    const prepared = await prepare(float, preparation);
    float = prepared.model;
    steps.push(prepared.report);
    throwIfAborted(context);
  }
  const shapes = await shapesFor(float, preparation);
  const { weights, activations, keepFloat, grids } = context;
  const choices = { shapes, weights, activations, granularity, keepFloat, grids, exactScales: true };
  const placed = context.plan ? adoptPlan(float, context.plan) : place(float, target, choices);
  const prepared = performance.now();
  const { deviations, ranges, unknown } = context;
  const ranged = dataFreeRanges(float, placed, {
    shapes,
    inputs,
    signal,
    ...(deviations === undefined ? {} : { deviations }),
    ...(ranges ? { ranges } : {}),
    ...(unknown ? { unknown } : {}),
  });
  const calibrated = performance.now();
  const corrected = await correctBiases(float, ranged.plan, preparation, { kind: "analytic", inputs });
  steps.push(ranged.report, corrected.report);
  const lowered = lower(corrected.model, corrected.plan);
  return {
    prepared: float,
    decided: corrected.model,
    plan: corrected.plan,
    lowered,
    shipped: lowered.model,
    statistics: [],
    shapes,
    target,
    steps,
    seconds: {
      prepare: (prepared - start) / 1000,
      calibrate: (calibrated - prepared) / 1000,
      methods: (performance.now() - calibrated) / 1000,
    },
  };
}

/** What is known of each input of the model. */
export function inputsOf(
  model: Model,
  { inputs = {}, preprocess }: Pick<DataFreeContext, "inputs" | "preprocess">,
): ReturnType<typeof expectationsOf> {
  const names = model.graph.inputs.filter((input) => !input.initializer).map((input) => input.name);
  const stranger = Object.keys(inputs).find((name) => !names.includes(name));
  if (stranger !== undefined) {
    throw new AvocetError("usage/bad-value", `expected the range of ${names.join(", ")}, got that of ${stranger}`, {
      at: model.source ?? model.graph.name,
      hint: "ranges are given by the names of the model's inputs",
    });
  }
  const open = names.filter((name) => !Object.hasOwn(inputs, name));
  const images = preprocess && open.length === 1 ? { [open[0]!]: imageInput(preprocess) } : {};
  return expectationsOf({ ...inputs, ...images });
}

function expectationsOf(known: Readonly<Record<string, InputKnowledge>>) {
  return new Map(Object.entries(known).map(([name, knowledge]) => [name, inputExpectation(knowledge, name)]));
}
