/** GGUF files and folders of Hugging Face as decoders: two formats of weights, one graph. */
import { AvocetError, parseJson } from "../../base/inner.ts";
import type { Model } from "../../ir/inner.ts";
import { type ByteSource, bytesSource } from "../byte-source.ts";
import { readGguf } from "../gguf/read.ts";
import { limits } from "../limits.ts";
import { readSafetensors, readSafetensorsIndex, safetensorsNames } from "../safetensors/read.ts";
import type { SourceFile, SourceReader } from "../source-format.ts";
import type { Weights } from "../weights.ts";
import { configOfGguf, configOfJson } from "./config.ts";
import { decoderModel } from "./graph.ts";
import { DecoderWeights, ggufName, ggufRows } from "./weights.ts";

/** A decoder of the Llama family in a GGUF file. */
export const gguf: SourceReader = {
  read: ({ name, bytes }) => readGgufModel(bytesSource(name, bytes)),
  readRanges: readGgufModel,
};

function readGgufModel(source: ByteSource): Model {
  const { name } = source;
  const { tensors, values } = readGguf(source);
  const config = configOfGguf(values, tensors.get("rope_freqs.weight")?.floats(), name);
  const rows = ggufRows(values.text("general.architecture"), config);
  return sourced(decoderModel(config, new DecoderWeights(tensors, name, ggufName, rows)), name);
}

/** A decoder of the Llama family in a folder of Hugging Face: `config.json`, and next to it model.safetensors or the index of several. */
export const huggingFace: SourceReader = {
  read(file) {
    const { name, bytes } = file;
    const json = parseJson(new TextDecoder().decode(bytes), { at: name, code: "import/malformed" });
    if (typeof json !== "object" || json === null || Array.isArray(json)) {
      throw new AvocetError("import/malformed", "expected an object as config.json", { at: name });
    }
    const config = configOfJson(json as Record<string, unknown>, name);
    return sourced(decoderModel(config, new DecoderWeights(weightsNextTo(file).tensors, name)), name);
  },
};

function weightsNextTo({ name, external }: SourceFile): Weights {
  if (!external) {
    throw new AvocetError("import/not-found", "expected the weights next to config.json, got its bytes alone", {
      at: name,
      hint: "read the model with its folder",
    });
  }
  const [whole, index] = safetensorsNames;
  try {
    return readSafetensors(external(whole));
  } catch (error) {
    if (!AvocetError.is(error) || error.code !== "import/not-found") throw error;
  }
  const source = external(index);
  return readSafetensorsIndex(
    source.read(0, Math.min(source.size, limits.safetensorsHeaderBytes + 1)),
    index,
    external,
  );
}

function sourced(model: Model, name: string): Model {
  model.source = name;
  return model;
}
