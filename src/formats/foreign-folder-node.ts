/** What a folder is that was given for a model, and which of its files may have been meant. */
import { join } from "node:path";
import { disk, quietly } from "../base/inner-node.ts";
import type { Foreign } from "./foreign.ts";
import { sources } from "./sources.ts";

/** A look at the names in the folder; nothing is opened. */
export function foreignFolder(path: string): Foreign {
  const names = namesIn(path);
  const has = (name: string) => names.includes(name);
  const models = names.filter((name) => name.endsWith(".onnx"));
  if (has("recipe.json") && has("model.onnx")) {
    return { what: "a folder of quantize", way: `its model is ${join(path, "model.onnx")}` };
  }
  if (models.length > 0) return { what: "a folder", way: `name the file: ${join(path, models[0]!)}` };
  if (has("saved_model.pb")) return { what: "a TensorFlow SavedModel", way: "await openModel(path) reads it" };
  if (has("model.json")) return { what: "a TensorFlow.js model", way: "await openModel(path) reads it" };
  if (has("Manifest.json") && has("Data"))
    return { what: "a Core ML package", way: "give the model that it was made from" };
  if (has("onnx") && namesIn(join(path, "onnx")).some((name) => name.endsWith(".onnx"))) {
    const inner = namesIn(join(path, "onnx")).find((name) => name.endsWith(".onnx"))!;
    return { what: "a folder", way: `name the file: ${join(path, "onnx", inner)}` };
  }
  if (has("config.json") && names.some((name) => /\.(safetensors|bin)$/.test(name))) {
    return {
      what: "a Hugging Face model",
      way: `decoders of the Llama family are read by their ${join(path, "config.json")}; others: optimum-cli export onnx --model ${path} OUT`,
    };
  }
  return { what: "a folder", way: "a model is an .onnx file" };
}

/**
 * The file that stands for a folder which is one model, as its format says; the path itself where it is no such folder. A folder with
 * .onnx files has to be asked which one is meant.
 */
export function mainFileOf(path: string): string {
  if (!quietly(() => disk.stat(path))?.isDirectory()) return path;
  const names = namesIn(path);
  if (names.some((name) => name.endsWith(".onnx"))) return path;
  for (const { mainFile } of sources) {
    const main = mainFile?.(names);
    if (main !== undefined) return join(path, main);
  }
  return path;
}

/** At most so many names: a folder of images may hold millions. */
const mostNames = 10_000;

function namesIn(path: string): string[] {
  try {
    return disk.list(path).slice(0, mostNames).sort();
  } catch {
    return [];
  }
}
