/** Post-training quantization, end to end in memory: a float model, data and a recipe in; the model that ships out. */
import { throwIfAborted, type Work } from "../base/index.ts";
import { type Dataset, samples } from "../data/index.ts";
import { cloneModel, type Model, type TensorType } from "../ir/index.ts";
import { normalise } from "../passes/index.ts";
import {
  builtinTarget,
  calibrate,
  lower,
  type Plan,
  parseGrid,
  parseTarget,
  place,
  type Scheme,
  type Target,
  type ValueStatistics,
  type WeightGranularity,
} from "../quant/index.ts";
import { firstSample, type Runtime, traceShapes } from "../runtime/index.ts";
import type { Recipe } from "./schema.ts";

/** What one step of a recipe did, for people and for the report. */
export interface StepReport {
  readonly step: string;
  readonly edits: number;
  readonly seconds: number;
  /** Sentences: what was skipped or refused, and why. */
  readonly notes: readonly string[];
}

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
 * Normalises, places, calibrates and lowers. The given model is not changed. Throws what the stages throw:
 * `quant/already-quantized`, `quant/nothing-to-quantize`, `data/none`, `data/wrong-shape`, `data/not-finite` …
 */
export async function quantizeModel(
  model: Model,
  data: Dataset,
  recipe: Recipe,
  runtime: Runtime,
  options: QuantizeOptions = {},
): Promise<Quantized> {
  const clock = stopwatch();
  const target =
    typeof recipe.target === "string" ? builtinTarget(recipe.target) : parseTarget(recipe.target, "recipe");
  const chosen = samples(data, recipe.samples);
  const float = cloneModel(model);
  const normalised = await normalise(float, { runtime });
  const steps: StepReport[] = normalised.map((pass) => ({
    step: pass.pass,
    edits: pass.edits,
    seconds: pass.milliseconds / 1000,
    notes: pass.refusals.map((refusal) => `${refusal.node}: ${refusal.reason}`),
  }));
  throwIfAborted(options);
  const shapes = await traceShapes(float, runtime, await firstSample(chosen, options.signal));
  const placed = place(float, target, {
    shapes,
    ...(recipe.weights ? { weights: parseGrid(recipe.weights) } : {}),
    ...(recipe.activations ? { activations: parseGrid(recipe.activations) } : {}),
    granularity: granularityOf(recipe.granularity),
    keepFloat: recipe.float,
  });
  const prepare = clock();
  const { plan, statistics } = await calibrate(float, placed, runtime, chosen, {
    scheme: recipe.calibration as Scheme,
    shapes,
    ...(recipe.batch ? { batch: recipe.batch } : {}),
    ...(options.threads ? { session: { threads: options.threads } } : {}),
    signal: options.signal,
    onProgress: options.onProgress,
  });
  const calibrated = clock();
  return {
    float,
    plan,
    shipped: lower(float, plan),
    statistics,
    shapes,
    target,
    steps,
    seconds: { prepare, calibrate: calibrated, methods: 0 },
  };
}

/** "block:32" → { block: 32 }; the schema has checked the form. */
function granularityOf(text: string | undefined): WeightGranularity | undefined {
  if (text === undefined || text === "tensor" || text === "channel") return text;
  return { block: Number(text.slice("block:".length)) };
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
