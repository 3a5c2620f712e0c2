/** The shortest way: a model in whatever form, data, and what differs from the defaults. */
import { AvocetError, expectArguments } from "../base/inner.ts";
import type { Dataset } from "../data/inner.ts";
import type { Model } from "../ir/inner.ts";
import { openModel, openRuntime, type Runtime } from "../runtime/inner.ts";
import { quantizeModel } from "./quantize.ts";
import type { QuantizeOptions } from "./quantize-options.ts";
import type { Quantized } from "./quantized.ts";
import { parseRecipe, type RecipeInput } from "./schema.ts";

export interface QuantizeAnyOptions extends QuantizeOptions {
  /** Default: `await openRuntime()`. */
  readonly runtime?: Runtime;
}

/**
 * Quantizes a model: one in memory, the path of its file (in a browser: its address), or its bytes, in any format that `openModel` reads. `recipe` says what differs from
 * the defaults. Data may be null for the preset "data-free". Throws what `openModel`, `parseRecipe` and `quantizeModel` throw.
 *
 * @example
 * const data = await openData("photos", { model: "model.onnx", preprocess: { resize: { short: 256 }, crop: 224 } });
 * const { shipped } = await quantize("model.onnx", data, { weights: "int8" });
 * await writeModelFile(shipped, "model-int8.onnx");
 */
export async function quantize(
  model: Model | string | Uint8Array,
  data: Dataset | null,
  recipe: RecipeInput = {},
  options: QuantizeAnyOptions = {},
): Promise<Quantized> {
  const call = "quantize(model, data, recipe)";
  expectArguments(call, { options: [options, "object"] });
  const { runtime, ...work } = options;
  if (data !== null) expectArguments(call, { data: [data, "dataset"] });
  const chosen = parseRecipe(recipe);
  if (runtime !== undefined) expectArguments(call, { runtime: [runtime, "runtime"] });
  const read = await modelOf(model, call);
  return await quantizeModel(read, data, chosen, runtime ?? (await openRuntime()), work);
}

async function modelOf(model: Model | string | Uint8Array, call: string): Promise<Model> {
  if (model instanceof Uint8Array || (typeof model === "string" && model !== "")) return await openModel(model);
  if (typeof model === "string") {
    throw new AvocetError("usage/bad-value", "expected a Model, the path of its file or its bytes as model, got an empty text", { at: call }); // biome-ignore format: a call
  }
  expectArguments(call, { model: [model, "model"] });
  return model;
}
