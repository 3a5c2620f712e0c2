/** Quantization-aware training, end to end in memory: quantization as `quantizeModel` does it, then training from there. */
import { AvocetError, checkpointUnder, expectArguments, throwIfAborted } from "../base/inner.ts";
import type { Dataset, Labels } from "../data/inner.ts";
import { cloneModel, type Model } from "../ir/inner.ts";
import type { OnEpoch } from "../methods/inner.ts";
import { normalise } from "../passes/inner.ts";
import { firstSample, fixedBatch, type Runtime, traceShapes, withDynamicBatch } from "../runtime/inner.ts";
import { fitData } from "./fit-data.ts";
import { make, trainMade } from "./make.ts";
import type { QuantizeOptions } from "./quantize-options.ts";
import type { TrainedModel } from "./quantized.ts";
import type { Recipe } from "./schema.ts";

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
  const { labels, teacher, onEpoch, ...work } = options;
  expectArguments("trainModel(model, data, recipe, runtime)", {
    model: [given, "model"],
    data: [steps, "dataset"],
    recipe: [recipe, "recipe"],
    runtime: [runtime, "runtime"],
    ...(labels !== undefined && { labels: [labels, "labels"] }),
    ...(teacher !== undefined && { teacher: [teacher, "model"] }),
  });
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

/** Teacher and student take the same samples and answer the same questions. */
function expectTeacherOf(student: Model, teacher: Model): void {
  for (const side of ["inputs", "outputs"] as const) {
    const [wanted, found] = [student, teacher].map(({ graph }) => graph[side].map(({ name }) => name));
    if (wanted!.length === found!.length && wanted!.every((name, i) => name === found![i])) continue;
    throw new AvocetError(
      "usage/bad-value",
      `expected a teacher with the ${side} ${wanted!.join(", ")}, got ${found!.join(", ") || "none"}`,
      { at: teacher.source ?? teacher.graph.name, hint: "the float model that this one was made from" },
    );
  }
}

/** In the form that gradients go through. */
async function normalised(model: Model, runtime: Runtime): Promise<Model> {
  const teacher = cloneModel(model);
  await normalise(teacher, { runtime });
  return teacher;
}

/** Models that were exported for one sample are trained in batches, where samples surely stay apart. */
async function withFreeBatch(model: Model, data: Dataset, runtime: Runtime): Promise<Model> {
  if (fixedBatch(model, data.axes) !== 1) return model;
  const freed = withDynamicBatch(model, await traceShapes(model, runtime, await firstSample(data)));
  return "model" in freed ? freed.model : model;
}
