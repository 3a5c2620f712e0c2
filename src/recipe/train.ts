/** Quantization-aware training, end to end in memory: quantization as `quantizeModel` does it, then training from there. */
import { checkpointUnder, expectArguments, throwIfAborted } from "../base/inner.ts";
import type { Dataset, Labels } from "../data/inner.ts";
import type { Model } from "../ir/inner.ts";
import type { OnEpoch } from "../methods/inner.ts";
import { firstSample, fixedBatch, type Runtime, traceShapes, withDynamicBatch } from "../runtime/inner.ts";
import { fitData } from "./fit-data.ts";
import { make, trainMade } from "./make.ts";
import type { QuantizeOptions } from "./quantize-options.ts";
import type { TrainedModel } from "./quantized.ts";
import type { Recipe } from "./schema.ts";

export interface TrainOptions extends QuantizeOptions {
  /** What is true of each sample of the data. Absent: the float model alone teaches. */
  readonly labels?: Labels | undefined;
  /** Called after each epoch; `now` returns the model and plan so far. */
  readonly onEpoch?: OnEpoch | undefined;
}

/**
 * Quantizes with a part of the data (`recipe.samples`), then trains weights and ranges on all of it as `recipe.training` says.
 * The given model is not changed. Throws what `quantizeModel` throws, and `autodiff/no-gradient`, `data/labels`, `data/not-finite`.
 */
export async function trainModel(
  given: Model,
  steps: Dataset,
  recipe: Recipe,
  runtime: Runtime,
  options: TrainOptions = {},
): Promise<TrainedModel> {
  const { labels, onEpoch, ...work } = options;
  expectArguments("trainModel(model, data, recipe, runtime)", {
    model: [given, "model"],
    data: [steps, "dataset"],
    recipe: [recipe, "recipe"],
    runtime: [runtime, "runtime"],
    ...(labels !== undefined && { labels: [labels, "labels"] }),
  });
  const data = await fitData(given, steps, recipe, runtime, options);
  const model = await withFreeBatch(given, data, runtime);
  const under = (part: string) => {
    const checkpoint = work.checkpoint && checkpointUnder(work.checkpoint, part);
    return { model, data, recipe, runtime, options: { ...work, ...(checkpoint ? { checkpoint } : {}) } };
  };
  const made = await make(under("quantize"));
  throwIfAborted(options);
  return await trainMade(made, under("train"), { labels, onEpoch });
}

/** Models that were exported for one sample are trained in batches, where samples surely stay apart. */
async function withFreeBatch(model: Model, data: Dataset, runtime: Runtime): Promise<Model> {
  if (fixedBatch(model, data.axes) !== 1) return model;
  const freed = withDynamicBatch(model, await traceShapes(model, runtime, await firstSample(data)));
  return "model" in freed ? freed.model : model;
}
