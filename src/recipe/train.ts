/** Quantization-aware training, end to end in memory: quantization as `quantizeModel` does it, then training from there. */
import { checkpointUnder, expectArguments, throwIfAborted } from "../base/inner.ts";
import type { Dataset, Labels } from "../data/inner.ts";
import type { Model } from "../ir/inner.ts";
import type { OnEpoch } from "../methods/inner.ts";
import type { Runtime } from "../runtime/inner.ts";
import { fitData } from "./fit-data.ts";
import { make, trainMade } from "./make.ts";
import type { QuantizeOptions } from "./quantize-options.ts";
import type { TrainedModel } from "./quantized.ts";
import type { Recipe } from "./schema.ts";
import { expectTeacherOf, normalised, withFreeBatch } from "./teaching.ts";

export interface TrainOptions extends QuantizeOptions {
  /** What is true of each sample of the data. Absent: the float model alone teaches. */
  readonly labels?: Labels | undefined;
  /**
   * The float model that teaches. Default: the given one. Of a compressed model the original knows more. Inputs and outputs are those of
   * the given model, by name.
   */
  readonly teacher?: Model | undefined;
  /** Called after each epoch; `now` returns the model and plan so far. */
  readonly onEpoch?: OnEpoch | undefined;
}

/**
 * Quantizes with a part of the data (`recipe.samples`), then trains weights and ranges on all of it as `recipe.training` says.
 * The given model is not changed. Throws what `quantizeModel` throws, and `usage/bad-value` (another teacher), `autodiff/no-gradient`, `data/labels`, `data/not-finite`.
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
    ...(options.teacher !== undefined && { teacher: [options.teacher, "model"] }),
  });
  // Of a model that the recipe compresses, the original knows more.
  const teacher = options.teacher ?? (recipe.compression ? given : undefined);
  if (teacher) expectTeacherOf(given, teacher);
  const data = await fitData(given, steps, recipe, runtime, options);
  const model = await withFreeBatch(given, data, runtime);
  const under = (part: string) => {
    const checkpoint = work.checkpoint && checkpointUnder(work.checkpoint, part);
    return { model, data, recipe, runtime, options: { ...work, ...(checkpoint ? { checkpoint } : {}) } };
  };
  const teaching = teacher && (await normalised(await withFreeBatch(teacher, data, runtime), runtime));
  const made = await make(under("quantize"));
  throwIfAborted(options);
  return await trainMade(made, under("train"), { labels, teacher: teaching, onEpoch });
}
