/** Graph models of TensorFlow.js as files. */
import type { Model } from "../../ir/inner.ts";
import type { SourceFile } from "../source-format.ts";
import { type ImportOptions, importGraph } from "../tensorflow/import.ts";
import { readTfjsGraph } from "./graph.ts";

/** model.json of a graph model → Model; `external` finds its weights. */
export const readTfjsGraphFile = (file: SourceFile, options: ImportOptions = {}): Model =>
  importGraph(readTfjsGraph(file), options);
