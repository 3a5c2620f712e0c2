/** ONNX's text syntax as a format of files: what `avocet print --full` writes comes back. */
import { AvocetError, jsonLimits } from "../../base/inner.ts";
import { type Model, parseModel } from "../../ir/inner.ts";
import { checkNodes } from "../../ops/inner.ts";
import type { SourceFile, SourceFormat, SourceReader } from "../source-format.ts";

const reader: SourceReader = { read: readOnnxText };

export const onnxText: SourceFormat = {
  name: "onnx-text",
  what: "ONNX text",
  limit: { bytes: jsonLimits.characters, hint: "keep large weights out of texts: models with weights are .onnx files" },
  recognises: (start, name) =>
    name.endsWith(".onnxtxt") || /^\s*<\s*ir_version\b/.test(new TextDecoder().decode(start)),
  reader,
  load: async () => reader,
};

/** Throws `text/…` with file, line and column, and `graph/invalid-node`. Elided tensors cannot come back: they are a syntax error. */
function readOnnxText({ name, bytes }: SourceFile): Model {
  try {
    const model = parseModel(new TextDecoder().decode(bytes));
    model.source = name;
    checkNodes(model);
    return model;
  } catch (error) {
    if (!AvocetError.is(error)) throw error;
    const { at, ...detail } = error.detail;
    throw new AvocetError(error.code, error.message, { ...detail, at: at?.startsWith(name) ? at : `${name}:${at}` });
  }
}
