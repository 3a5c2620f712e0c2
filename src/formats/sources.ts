/** The formats that models are read from: one list that every file is held against, by its first bytes and its name. */
import { AvocetError } from "../base/inner.ts";
import { ggufDecoder, huggingFaceDecoder } from "./decoder/read.ts";
import { foreignFormat } from "./foreign.ts";
import { onnx } from "./onnx/read.ts";
import { onnxText } from "./onnx-text/read.ts";
import type { SourceFormat } from "./source-format.ts";
import { tflite } from "./tflite/read.ts";

/** In the order in which they are asked; formats whose first bytes say little come later. */
export const sources: readonly SourceFormat[] = [onnxText, tflite, ggufDecoder, huggingFaceDecoder, onnx];

/** How many bytes at the start of a file are looked at. */
export const startBytes = 4096;

/**
 * The format of a file. Throws `import/unknown-format`, with what the file is and how it becomes a model where that is
 * known, and `import/truncated` for an empty file.
 */
export function sourceOf(bytes: Uint8Array, name: string): SourceFormat {
  if (bytes.length === 0) {
    throw new AvocetError("import/truncated", "expected an ONNX model, got an empty file", { at: name });
  }
  const start = bytes.subarray(0, startBytes);
  const found = sources.find((format) => format.recognises(start, name));
  if (found) return found;
  const { what, way } = foreignFormat(start, name) ?? { what: "something else" };
  throw new AvocetError("import/unknown-format", `expected an ONNX model, got ${what}`, {
    at: name,
    hint: way ?? "models are read from ONNX: export it where it was made",
  });
}
