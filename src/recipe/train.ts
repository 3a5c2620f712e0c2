/** Quantization-aware training, end to end in memory: quantization as `quantizeModel` does it, then training from there. */
import { checkpointUnder, expectArguments, throwIfAborted } from "../base/inner.ts";
import type { Dataset, Labels } from "../data/inner.ts";
import { cloneModel, type Model } from "../ir/inner.ts";
import { type QatContext, type QatOptions, reestimateFoldedBatchNorms, trainQuantized } from "../methods/inner.ts";
import { normalise } from "../passes/inner.ts";
import { lower, type Plan, type Scheme } from "../quant/inner.ts";
import { firstSample, fixedBatch, type Runtime, traceShapes, withDynamicBatch } from "../runtime/inner.ts";
import type { Optimizer } from "../train/inner.ts";
import { fitData } from "./fit-data.ts";
import { type QuantizeOptions, quantizeModel } from "./quantize.ts";
import type { Quantized } from "./quantized.ts";
import type { Recipe } from "./schema.ts";
import { targetOf } from "./stages.ts";
import type { Training } from "./training-options.ts";

export interface TrainOptions extends QuantizeOptions {
  /** What is true of each sample of the data. Absent: the float model alone teaches. */
  readonly labels?: Labels | undefined;
  /** Called after each epoch; `now` gives the model and plan so far. */
  readonly onEpoch?: QatContext["onEpoch"];
}

export interface TrainedModel extends Quantized {
  /** What quantization alone gave: where training began. */
  readonly before: { readonly decided: Model; readonly plan: Plan; readonly shipped: Model };
}

/**
 * Quantizes with a part of the data (`recipe.samples`), then trains weights and ranges on all of it as `recipe.training` says.
 * The given model is not changed. Throws what `quantizeModel` and `trainQuantized` throw.
 */
export async function trainModel(
  given: Model,
  steps: Dataset,
  recipe: Recipe,
  runtime: Runtime,
  options: TrainOptions = {},
): Promise<TrainedModel> {
  const { checkpoint, labels, onEpoch } = options;
  expectArguments("trainModel(model, data, recipe, runtime)", {
    model: [given, "model"],
    data: [steps, "dataset"],
    recipe: [recipe, "recipe"],
    runtime: [runtime, "runtime"],
    ...(labels !== undefined && { labels: [labels, "labels"] }),
  });
  const data = await fitData(given, steps, recipe, runtime, options);
  const model = await withFreeBatch(given, data, runtime);
  const before = await quantizeModel(model, data, recipe, runtime, {
    ...options,
    ...(checkpoint ? { checkpoint: checkpointUnder(checkpoint, "quantize") } : {}),
  });
  throwIfAborted(options);
  const reference = cloneModel(model);
  await normalise(reference, { runtime });
  const context: QatContext = {
    runtime,
    data,
    target: targetOf(recipe),
    calibration: recipe.calibration as Scheme,
    seed: recipe.seed,
    reference,
    labels,
    threads: options.threads,
    signal: options.signal,
    onProgress: options.onProgress,
    ...(onEpoch ? { onEpoch } : {}),
    ...(checkpoint ? { checkpoint: checkpointUnder(checkpoint, "train") } : {}),
  };
  const { reestimate = false, ...training } = recipe.training ?? {};
  const trained = await trainQuantized(before.decided, before.plan, context, qatOptions(training));
  const done = [trained];
  if (reestimate) {
    const options = { reference: before.prepared };
    done.push(await reestimateFoldedBatchNorms(trained.model, trained.plan, context, options));
  }
  const { model: decided, plan } = done.at(-1)!;
  const lowered = lower(decided, plan);
  const reports = done.map(({ report }) => report);
  return {
    ...before,
    decided,
    plan,
    lowered,
    shipped: lowered.model,
    steps: [...before.steps, ...reports],
    seconds: {
      ...before.seconds,
      methods: reports.reduce((sum, { seconds }) => sum + seconds, before.seconds.methods),
    },
    before: { decided: before.decided, plan: before.plan, shipped: before.shipped },
  };
}

/** Models that were exported for one sample are trained in batches, where samples surely stay apart. */
async function withFreeBatch(model: Model, data: Dataset, runtime: Runtime): Promise<Model> {
  if (fixedBatch(model, data.axes) !== 1) return model;
  const freed = withDynamicBatch(model, await traceShapes(model, runtime, await firstSample(data)));
  return "model" in freed ? freed.model : model;
}

function qatOptions({ optimizer, weightDecay, ...rest }: Omit<Training, "reestimate">): QatOptions {
  const decay = weightDecay === undefined ? {} : { weightDecay };
  const chosen: Optimizer =
    optimizer === "sgd" ? { kind: "sgd", momentum: 0.9, ...decay } : { kind: optimizer ?? "adam", ...decay };
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  return { ...(given as Omit<QatOptions, "optimizer">), optimizer: chosen };
}
