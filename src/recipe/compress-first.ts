/** The step of a recipe that makes the float model smaller before anything is quantized. */
import { AvocetError, stopwatch } from "../base/inner.ts";
import { compressModel } from "../compress/inner.ts";
import type { Dataset } from "../data/inner.ts";
import type { Model } from "../ir/inner.ts";
import type { Runtime } from "../runtime/inner.ts";
import type { Compression } from "./compression-options.ts";
import { fineTuneModel } from "./fine-tune.ts";
import { fitData } from "./fit-data.ts";
import type { QuantizeOptions } from "./quantize-options.ts";
import type { StepReport } from "./quantized.ts";
import type { Recipe } from "./schema.ts";

/** The smaller float model, trained where the recipe says so, and what was done. Throws what `compressModel` and `fineTuneModel` throw. */
export async function compressFirst(
  model: Model,
  data: Dataset | null,
  recipe: Recipe & { readonly compression: Compression },
  runtime: Runtime,
  { threads, signal, onProgress }: QuantizeOptions,
): Promise<{ readonly model: Model; readonly reports: readonly StepReport[] }> {
  const clock = stopwatch();
  const { macs, parameters, ratios, finetune, schemes, ...how } = recipe.compression;
  const fitted = data && (await fitData(model, data, recipe, runtime, { signal, onProgress }));
  const work = { signal, onProgress, seed: recipe.seed, ...(threads === undefined ? {} : { threads }) };
  const made = await compressModel(model, fitted, runtime, {
    ...work,
    ...how,
    ...(schemes === undefined ? {} : { schemes }),
    ...(macs === undefined ? {} : { target: { macs } }),
    ...(parameters === undefined ? {} : { target: { parameters } }),
    ...(ratios === undefined ? {} : { ratios }),
  });
  const { before, after } = made.cost;
  const share = (key: "macs" | "parameters") => `${((100 * after[key]) / before[key]).toFixed(1)} %`;
  const report: StepReport = {
    step: "compress",
    edits: made.layers.length,
    seconds: clock(),
    notes: [
      `${share("macs")} of the MACs and ${share("parameters")} of the parameters stay`,
      ...made.layers.map(({ layer, scheme, rank }) => `${layer}: ${scheme} ${rank}`),
      ...made.notes,
      ...made.sensitivities.refused.map(({ layer, reason }) => `stays ${layer}: ${reason}`),
    ],
  };
  if (!finetune) return { model: made.model, reports: [report] };
  if (!fitted) {
    throw new AvocetError("data/none", "expected data to train the compressed model on, got none", {
      at: "compression",
    });
  }
  const tuned = await fineTuneModel(made.model, fitted, runtime, { ...work, teacher: model, training: finetune });
  return { model: tuned.model, reports: [report, tuned.report] };
}
