/** Training in float: a compressed model learns again what it lost, from labels and from the model that it was made of. */
import type { Work } from "../base/inner.ts";
import type { Dataset, Labels } from "../data/inner.ts";
import { cloneModel, type Model } from "../ir/inner.ts";
import { type MethodReport, trainQuantized } from "../methods/inner.ts";
import { builtinTarget, type Plan } from "../quant/inner.ts";
import type { Runtime } from "../runtime/inner.ts";
import { type FineTuning, type FineTuningInput, fineTuningSchema } from "./compression-options.ts";
import { expectTeacherOf, normalised, withFreeBatch } from "./teaching.ts";

export interface FineTuneOptions extends Work {
  /** The float model that teaches: that which the given one was made from. */
  readonly teacher: Model;
  /** What is true of each sample of the data. Absent: the teacher alone teaches. */
  readonly labels?: Labels | undefined;
  /** Epochs, rates, images that are mirrored or moved. Default: 4 epochs with Adam, at most 2e-4. */
  readonly training?: FineTuningInput | undefined;
  readonly seed?: number | undefined;
  readonly threads?: number | undefined;
}

/** Nothing is quantized: every weight is trained as it is. */
const nothing: Plan = { version: 1, target: "float", entries: [], notQuantized: [] };

/**
 * Trains weights and biases of a float model, on all of the data. The given models are not changed, and the result takes the batches that
 * the given one takes. Throws `usage/bad-value` (a teacher with other inputs or outputs), `autodiff/no-gradient`, `data/labels`, `data/not-finite`.
 */
export async function fineTuneModel(
  given: Model,
  data: Dataset,
  runtime: Runtime,
  { teacher, labels, training, seed = 0, ...work }: FineTuneOptions,
): Promise<{ readonly model: Model; readonly report: MethodReport }> {
  expectTeacherOf(given, teacher);
  const options: FineTuning = fineTuningSchema.parse(training ?? {});
  const student = await withFreeBatch(given, data, runtime);
  const reference = await normalised(await withFreeBatch(teacher, data, runtime), runtime);
  const context = {
    runtime,
    data,
    labels,
    reference,
    teacher: reference,
    target: builtinTarget("ort-cpu"),
    calibration: "minmax" as const,
    seed,
    ...work,
  };
  const { model: trained, report } = await trainQuantized(student, nothing, context, options);
  const result = cloneModel(given);
  const learned = trained.graph.valuesByName();
  for (const [name, value] of result.graph.valuesByName()) {
    const tensor = learned.get(name)?.initializer;
    if (value.initializer?.dtype === "float32" && tensor?.dtype === "float32") value.initializer = tensor;
  }
  return { model: result, report: { ...report, step: "fine-tune" } };
}
