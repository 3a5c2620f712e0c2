/** TensorFlow's graphs as files: the folder of a SavedModel, and frozen graphs. */
import type { Model } from "../../ir/inner.ts";
import type { SourceFile } from "../source-format.ts";
import { readFrozen } from "./frozen.ts";
import { type ImportOptions, importGraph } from "./import.ts";
import { readSavedModel } from "./saved-model.ts";

export interface TensorflowOptions extends ImportOptions {
  /** Which signature of a SavedModel becomes the model (default: `serving_default`, or the only one). */
  readonly signature?: string;
}

/** saved_model.pb → Model; `external` finds variables/… next to it. */
export const readSavedModelFile = (file: SourceFile, options: TensorflowOptions = {}): Model =>
  importGraph(readSavedModel(file, options.signature), options);

/** A frozen graph → Model. */
export const readFrozenFile = (file: SourceFile, options: ImportOptions = {}): Model =>
  importGraph(readFrozen(file), options);
