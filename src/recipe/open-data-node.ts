/** Data of the disk for a model, as programs open it. */
import { AvocetError, expectArguments } from "../base/inner.ts";
import type { IndexedDataset, Preprocess, PreprocessInput } from "../data/inner.ts";
import { openData as openFor } from "../data/inner-node.ts";
import { openModel } from "../formats/inner-node.ts";
import type { Model } from "../ir/inner.ts";
import { dataPorts } from "./fit-data.ts";
import type { Recipe } from "./schema.ts";

export interface OpenDataOptions {
  /** The model that the data is for, or the path of its file: samples are checked against its inputs. */
  readonly model: Model | string;
  /** From pixels to the model's input. Images need it; arrays are scaled by it. */
  readonly preprocess?: Preprocess | PreprocessInput | undefined;
  /** What is known of inputs, as recipes say it: the axis of their samples, constants, states. Default: found from the model. */
  readonly inputs?: Recipe["inputs"];
  /** Bytes of prepared images to keep in memory between passes. Default 32 MiB: 200 images of 224 × 224. */
  readonly cacheBytes?: number | undefined;
}

/**
 * Opens a folder of images, a pack, `.npy`, `.npz`, raw arrays, WAV files, or a `.jsonl` of token ids as samples of a model; `spec` is
 * a path or `PATH?every=5`. Throws `data/…`, `usage/missing`, `usage/bad-value`, and for a path of a model what `openModel` throws.
 *
 * @example
 * const data = await openData("photos", { model, preprocess: { resize: { short: 256 }, crop: 224, scale: "1/255" } });
 */
export async function openData(spec: string, options: OpenDataOptions): Promise<IndexedDataset> {
  const call = "openData(spec, { model })";
  expectArguments(call, { spec: [spec, "text"], options: [options, "object"] });
  const { model, inputs, preprocess, cacheBytes } = options;
  if (model === undefined) {
    throw new AvocetError("usage/missing", "expected the model that the data is for, got none", {
      at: call,
      hint: 'openData("photos", { model }) or { model: "model.onnx" }',
    });
  }
  const read = typeof model === "string" ? await openModel(model) : model;
  expectArguments(call, { model: [read, "model"] });
  return await openFor(spec, { inputs: dataPorts(read, inputs), preprocess, cacheBytes });
}
