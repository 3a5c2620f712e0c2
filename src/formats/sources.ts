/** The formats that models are read from: one list that every file is held against, by its first bytes and its name. */
import { AvocetError, jsonLimits } from "../base/inner.ts";
import { foreignFormat } from "./foreign.ts";
import { limits } from "./limits.ts";
import { onnx } from "./onnx/read.ts";
import { onnxText } from "./onnx-text/read.ts";
import type { SourceFormat, SourceReader } from "./source-format.ts";

/** A format whose reader is loaded when a file of it is met; `foreign.ts` recognises it, and says there what it is. */
function foreign(
  name: string,
  what: string,
  load: () => Promise<SourceReader>,
  more: Partial<Pick<SourceFormat, "limit" | "mainFile">> = {},
): SourceFormat {
  const limit = { bytes: limits.onnxFileBytes, hint: "convert it to ONNX with external data where it was made" };
  const recognises = (start: Uint8Array, file: string) => foreignFormat(start, file)?.format === name;
  return { name, what, limit, recognises, load, ...more };
}

/** In the order in which they are asked; formats whose first bytes say little come later. */
export const sources: readonly SourceFormat[] = [
  onnxText,
  foreign("tflite", "a TensorFlow Lite model", () => import("./tflite/read.ts"), {
    limit: { bytes: limits.onnxFileBytes, hint: "a file of more than 2 GiB is no FlatBuffer" },
  }),
  foreign("keras", "a Keras model (.keras)", () => import("./keras/read.ts")),
  foreign("keras-h5", "an HDF5 file (Keras .h5)", () => import("./keras/read.ts")),
  foreign(
    "saved-model",
    "the graph of a TensorFlow SavedModel",
    async () => (await import("./tensorflow/read.ts")).savedModel,
    {
      mainFile: (names) => (names.includes("saved_model.pb") ? "saved_model.pb" : undefined),
    },
  ),
  foreign("frozen-graph", "a TensorFlow graph", async () => (await import("./tensorflow/read.ts")).frozenGraph),
  foreign("tfjs-graph", "a graph model of TensorFlow.js", async () => (await import("./tfjs/read.ts")).tfjsGraph, {
    limit: { bytes: jsonLimits.characters, hint: "weights lie in files next to model.json" },
    mainFile: (names) => (names.includes("model.json") ? "model.json" : undefined),
  }),
  foreign("tfjs-layers", "a layers model of TensorFlow.js", () => import("./tfjs/layers.ts"), {
    limit: { bytes: jsonLimits.characters, hint: "weights lie in files next to model.json" },
  }),
  foreign("gguf", "a GGUF file", async () => (await import("./decoder/read.ts")).gguf, {
    limit: { bytes: limits.onnxFileBytes, hint: "convert a Hugging Face folder, whose weights stay on disk" },
  }),
  foreign(
    "hugging-face",
    "the config.json of a Hugging Face model",
    async () => (await import("./decoder/read.ts")).huggingFace,
    {
      limit: { bytes: 2 ** 20, hint: "config.json has some kilobytes" },
      mainFile: (names) =>
        names.includes("config.json") && names.some((name) => name.endsWith(".safetensors"))
          ? "config.json"
          : undefined,
    },
  ),
  foreign("pytorch-program", "a PyTorch program (.pt2, torch.export)", () => import("./pytorch/read.ts")),
  onnx,
];

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

/** The reader of a format that is always at hand. Throws `import/unknown-format` for those that are loaded when they are needed. */
export function readerAtHand({ reader, what }: SourceFormat, name: string, call: string): SourceReader {
  if (reader) return reader;
  throw new AvocetError("import/unknown-format", `expected an ONNX model or ONNX text, got ${what}`, {
    at: name,
    hint: `${call} reads it`,
  });
}
