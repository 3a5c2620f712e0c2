/** What commands read: models and folders of `quantize`, data, labels, metrics. One place for how options name them. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Metric, meanIoU, topK } from "../analysis/index.ts";
import { AvocetError, parseJson } from "../base/index.ts";
import { alignLabels, type Dataset, type Preprocess, parsePreprocess, samples } from "../data/index.ts";
import { openData, openLabels, parseDataSpec } from "../data/node/index.ts";
import { readModelFile } from "../formats/index-node.ts";
import type { Model } from "../ir/index.ts";
import { parseRecipe, type Recipe } from "../recipe/index.ts";

export interface DataOptions {
  readonly data?: string;
  readonly preprocess?: string;
  readonly samples?: string;
}

export interface JudgeOptions {
  readonly labels?: string;
  readonly metric: string;
  readonly ignoreLabel?: number;
}

/** A model argument: an ONNX file, or the shipped file of a folder of `quantize` with its recipe. */
export interface ModelArgument {
  readonly path: string;
  readonly model: Model;
  /** The folder's recipe, when the argument is a folder. */
  readonly recipe?: Recipe;
}

/** Reads an ONNX file or a folder of `quantize`. */
export function openModel(argument: string): ModelArgument {
  const folder = existsSync(argument) && statSync(argument).isDirectory();
  if (!folder) return { path: argument, model: readModelFile(argument) };
  const path = join(argument, "model.onnx");
  const recipePath = join(argument, "recipe.json");
  if (!existsSync(path) || !existsSync(recipePath)) {
    throw new AvocetError("import/not-found", "expected a folder made by quantize, with model.onnx and recipe.json", {
      at: argument,
    });
  }
  return { path, model: readModelFile(path), recipe: parseRecipe(readJson(recipePath), recipePath) };
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
  if (!override && recorded && (await sha256(path)) !== recorded.sha256) {
    throw new AvocetError(
      "import/malformed",
      "expected the float model that was quantized, its bytes have changed since",
      {
        at: path,
        hint: "--float-model MODEL names it, and takes what it finds",
      },
    );
  }
  return { path, model: readModelFile(path) };
}

/** SHA-256 of a file, in hexadecimal. */
export async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}

export function readJson(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new AvocetError("import/not-found", `expected a file, got ${path}`, { at: path, cause });
  }
  return parseJson(text, { at: path, code: "usage/bad-value" });
}

/** --preprocess FILE, else what the recipe says. */
export function preprocessOf(options: DataOptions, recipe?: Recipe): Preprocess | undefined {
  if (options.preprocess) return parsePreprocess(readJson(options.preprocess), options.preprocess);
  return recipe?.preprocess;
}

/** The samples of --data, as the model takes them. Throws `usage/missing`, `data/…`. */
export async function openSamples(
  model: Model,
  spec: string | undefined,
  preprocess: Preprocess | undefined,
  count: string | number | undefined,
): Promise<Dataset> {
  if (!spec) {
    throw new AvocetError("data/none", "expected data, got none", {
      hint: "--data x.npy, a folder of pictures, a pack's index; Avocet never makes up data",
    });
  }
  const inputs = model.graph.inputs
    .filter((value) => !value.initializer)
    .map(({ name, type }) =>
      type?.kind === "tensor" ? { name, dtype: type.dtype, shape: type.shape } : { name, dtype: null, shape: null },
    );
  const data = await openData(spec, { inputs, ...(preprocess ? { preprocess } : {}) });
  return count === undefined ? data : samples(data, count);
}

/** The metric that --metric, --labels and --ignore-label ask for, over the samples that are judged. */
export async function openMetric(options: JudgeOptions, spec: string, data: Dataset): Promise<Metric> {
  // Class folders and packs carry their labels; those are of all samples, whatever part of them is judged.
  const labels = alignLabels(await openLabels(options.labels ?? parseDataSpec(spec).path), data);
  const top = /^top(\d+)$/.exec(options.metric);
  if (top && labels.kind === "classes") return topK(labels, Number(top[1]));
  if (options.metric === "miou" && labels.kind === "masks") {
    return meanIoU(labels, options.ignoreLabel === undefined ? {} : { ignore: options.ignoreLabel });
  }
  if (!top && options.metric !== "miou") {
    throw new AvocetError("usage/bad-value", `expected a metric, got "${options.metric}"`, {
      hint: "top1, top5, topK or miou",
    });
  }
  throw new AvocetError(
    "data/labels",
    `expected ${top ? "one class a sample" : "one class a pixel"} for ${options.metric}, got ${labels.kind}`,
    {
      at: options.labels ?? spec,
    },
  );
}

/** Bytes of a file and of the external data beside it, as far as it is one file: what a user ships. */
export function fileBytes(path: string): number {
  return statSync(resolve(path)).size;
}
