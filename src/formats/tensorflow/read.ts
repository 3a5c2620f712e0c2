/** TensorFlow's graphs as files: the folder of a SavedModel, and frozen graphs. */
import type { SourceReader } from "../source-format.ts";
import { readFrozen } from "./frozen.ts";
import { importGraph } from "./import.ts";
import { readSavedModel } from "./saved-model.ts";

/** saved_model.pb; `external` finds variables/… next to it. */
export const savedModel: SourceReader = {
  read: (file) => importGraph(readSavedModel(file, file.choices?.signature), file.choices),
};

export const frozenGraph: SourceReader = { read: (file) => importGraph(readFrozen(file), file.choices) };
