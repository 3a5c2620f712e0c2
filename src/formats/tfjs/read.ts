/** Graph models of TensorFlow.js as files. */
import type { SourceReader } from "../source-format.ts";
import { importGraph } from "../tensorflow/import.ts";
import { readTfjsGraph } from "./graph.ts";

/** model.json; `external` finds its weights. */
export const tfjsGraph: SourceReader = { read: (file) => importGraph(readTfjsGraph(file), file.choices) };
