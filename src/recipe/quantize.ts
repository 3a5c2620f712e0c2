/** Post-training quantization, end to end in memory: a float model, data and a recipe in; the model that ships out. */
import { expectArguments } from "../base/inner.ts";
import type { Dataset } from "../data/inner.ts";
import type { Model } from "../ir/inner.ts";
import type { Runtime } from "../runtime/inner.ts";
import { make } from "./make.ts";
import type { QuantizeOptions } from "./quantize-options.ts";
import type { Quantized } from "./quantized.ts";
import type { Recipe } from "./schema.ts";

/**
 * Normalises, runs the recipe's methods around placement and calibration, and lowers. The given model is not changed.
 * Without data (null) only the preset `data-free` can work; it looks at data only for the range of inputs that nothing else says. Throws
 * what the stages throw: `quant/already-quantized`, `quant/nothing-to-quantize`, `quant/not-calibrated` (no range without data), `data/none`,
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
  const { quantized } = await make({ model, data, recipe, runtime, options });
  return quantized;
}
