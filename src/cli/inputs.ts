/** What commands read: models and folders of `quantize`, data, labels, metrics. One place for how options name them. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { AvocetError, type Work } from "../base/inner.ts";
import { disk, quietly, sha256OfFile } from "../base/inner-node.ts";
import { type Dataset, type Preprocess, samples } from "../data/inner.ts";
import { parsePreprocess } from "../data/inner-files.ts";
import { dataPaths, openData } from "../data/inner-node.ts";
import { foreignFolder, mainFileOf, openModel } from "../formats/inner-node.ts";
import type { Model } from "../ir/inner.ts";
import { dataPorts, fitData, type InputOptions, parseRecipe, type Recipe } from "../recipe/inner.ts";
import { openRuntime, type RuntimeName } from "../runtime/inner.ts";
import { readJson } from "./text-file.ts";

export interface DataOptions {
  readonly data?: string;
  readonly preprocess?: string;
  readonly samples?: string;
  readonly batchAxis?: readonly string[];
  readonly constant?: readonly string[];
  readonly state?: readonly string[];
  readonly sequence?: number;
}

/** A model argument: a model of any format, or the shipped file of a folder of `quantize` with its recipe. */
export interface ModelArgument {
  readonly path: string;
  readonly model: Model;
  /** The folder's recipe, when the argument is a folder. */
  readonly recipe?: Recipe;
}

/** In a folder of `quantize`: the float model that plan and encodings belong to, with the weights that the methods decided. */
export const floatFile = "float.onnx";

/** What is read of a model argument: the file, or the files of the folder. */
export function filesOfArgument(argument: string): string[] {
  const main = mainFileOf(argument);
  if (!quietly(() => disk.stat(main))?.isDirectory()) return [main];
  return ["model.onnx", floatFile, "plan.json", "recipe.json", "report.json"].map((name) => join(argument, name));
}

/** The paths that a command reads, which its output must stay away from: files, and what data specs name. */
export async function pathsRead(
  files: readonly (string | undefined)[],
  data: readonly (string | undefined)[],
): Promise<string[]> {
  const given = (path: string | undefined) => path !== undefined;
  return [...files.filter(given), ...(await Promise.all(data.filter(given).map(dataPaths))).flat()];
}

/** Reads a model of any format, or a folder of `quantize`. */
export async function openArgument(argument: string): Promise<ModelArgument> {
  const main = mainFileOf(argument);
  const folder = quietly(() => disk.stat(main))?.isDirectory() === true;
  if (!folder) return { path: main, model: await openModel(main) };
  const path = join(argument, "model.onnx");
  const recipePath = join(argument, "recipe.json");
  if (!existsSync(path) || !existsSync(recipePath)) {
    const { what, way } = foreignFolder(argument);
    throw new AvocetError("import/not-found", `expected a model file or a folder made by quantize, got ${what}`, {
      at: argument,
      ...(way === undefined ? {} : { hint: way }),
    });
  }
  return { path, model: await openModel(path), recipe: parseRecipe(readJson(recipePath), recipePath) };
}

/** The float model a folder was made from. Throws `import/not-found` and `import/malformed` when it changed since. */
export async function openFloatModel(argument: ModelArgument, override: string | undefined): Promise<ModelArgument> {
  const recorded = argument.recipe?.model;
  const path = override ?? recorded?.path;
  if (!path)
    throw new AvocetError("usage/missing", "expected the float model", {
      at: argument.path,
      hint: "--float-model MODEL names it",
    });
  if (!existsSync(path)) {
    throw new AvocetError("import/not-found", `expected the float model, there is no ${path}`, {
      at: argument.path,
      hint: "--float-model MODEL names it",
    });
  }
  if (!override && recorded && sha256(path) !== recorded.sha256) {
    throw new AvocetError(
      "import/malformed",
      "expected the float model that was quantized, its bytes have changed since",
      {
        at: path,
        hint: "--float-model MODEL names it, and takes what it finds",
      },
    );
  }
  return { path, model: await openModel(path) };
}

/** SHA-256 of a model file, in hexadecimal. Throws `import/not-found` when it can't be read. */
export function sha256(path: string): string {
  try {
    return sha256OfFile(path);
  } catch (cause) {
    throw new AvocetError("import/not-found", `expected a file that can be read, got ${(cause as Error).message}`, {
      at: path,
      cause,
    });
  }
}

/** --preprocess FILE, else what the recipe says. */
export function preprocessOf(options: DataOptions, recipe?: Recipe): Preprocess | undefined {
  if (options.preprocess) return parsePreprocess(readJson(options.preprocess), options.preprocess);
  return recipe?.preprocess;
}

/** What a recipe says of inputs, with what options say over it. Throws `usage/bad-value` for what is no such option. */
export function inputsOf(
  { batchAxis = [], constant = [], state = [], sequence }: DataOptions,
  recipe?: Pick<Recipe, "inputs" | "sequence">,
): Pick<Recipe, "inputs" | "sequence"> {
  const inputs: Record<string, InputOptions> = { ...recipe?.inputs };
  const set = (name: string, part: InputOptions) => {
    inputs[name] = { ...inputs[name], ...part };
  };
  for (const text of batchAxis) {
    const [name, axis] = pairOf(text, "=", "--batch-axis", "x=1 or sr=none");
    if (axis !== "none" && !/^\d{1,2}$/.test(axis)) {
      throw new AvocetError("usage/bad-value", `expected an axis or none, got "${axis}"`, {
        at: "--batch-axis",
        hint: "for example --batch-axis x=1 or --batch-axis sr=none",
      });
    }
    set(name, { batch: axis === "none" ? null : Number(axis) });
  }
  for (const text of constant) {
    const [name, number] = pairOf(text, "=", "--constant", "sr=16000");
    if (!Number.isFinite(Number(number)) || number.trim() === "") {
      throw new AvocetError("usage/bad-value", `expected a number, got "${number}"`, {
        at: "--constant",
        hint: "for example --constant sr=16000",
      });
    }
    set(name, { constant: Number(number), state: undefined });
  }
  for (const text of state) {
    const [output, name] = pairOf(text, ":", "--state", "stateN:state");
    set(name, { state: output, constant: undefined });
  }
  const isEmpty = Object.keys(inputs).length === 0;
  const steps = sequence ?? recipe?.sequence;
  if (steps !== undefined && !hasStates({ inputs })) {
    throw new AvocetError("usage/missing", "expected a state next to a sequence, got none", {
      at: "--sequence",
      hint: "--state OUTPUT:INPUT names one",
    });
  }
  return { ...(!isEmpty && { inputs }), ...(steps !== undefined && { sequence: steps }) };
}

/** The two sides of the last separator: names of outputs and inputs may hold one themselves. */
function pairOf(text: string, separator: string, option: string, example: string): readonly [string, string] {
  const at = text.lastIndexOf(separator);
  if (at > 0 && at < text.length - 1) return [text.slice(0, at), text.slice(at + 1)];
  throw new AvocetError("usage/bad-value", `expected NAME${separator}VALUE, got "${text}"`, {
    at: option,
    hint: `for example ${option} ${example}`,
  });
}

/** Whether outputs of the model are inputs of its next step. */
export function hasStates({ inputs = {} }: Pick<Recipe, "inputs">): boolean {
  return Object.values(inputs).some((input) => input.state !== undefined);
}

/** What the states of a model are computed with, and what is printed about it. */
export interface SampleRun extends Work {
  readonly runtime: RuntimeName;
  readonly threads?: number;
}

/**
 * The samples of --data, as the model takes them. States are those that this model computes. Throws `usage/missing`,
 * `data/…`.
 */
export async function openSamples(
  model: Model,
  spec: string | undefined,
  preprocess: Preprocess | undefined,
  count: string | number | undefined,
  inputs: Pick<Recipe, "inputs" | "sequence"> = {},
  run: SampleRun = { runtime: "ort-node" },
): Promise<Dataset> {
  if (!spec) {
    throw new AvocetError("data/none", "expected data, got none", {
      hint: "--data x.npy, a folder of images, a pack's index; Avocet never makes up data",
    });
  }
  const data = await openData(spec, {
    inputs: dataPorts(model, inputs.inputs),
    ...(preprocess ? { preprocess } : {}),
  });
  // A state comes from all steps before it, whatever part of them is asked for.
  const fitted = hasStates(inputs)
    ? await fitData(model, data, inputs, await openRuntime(run.runtime, run), run)
    : data;
  return count === undefined ? fitted : samples(fitted, count);
}

/**
 * The data that the options of a command name, for a model next to the recipe that it came with: options say more than the recipe.
 * `count` is used where --samples is absent. Throws what `openSamples` throws.
 */
export function openDataFor(
  model: Model,
  recipe: Recipe | undefined,
  options: DataOptions & SampleRun,
  signal: AbortSignal,
  count?: number,
): Promise<Dataset> {
  const preprocess = preprocessOf(options, recipe);
  const run = { ...options, signal };
  return openSamples(model, options.data, preprocess, options.samples ?? count, inputsOf(options, recipe), run);
}
