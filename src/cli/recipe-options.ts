/** The recipe of a run: the recipe file with the options over it, and where model and data were. */
import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { AvocetError } from "../base/inner.ts";
import { expectModelFile } from "../formats/inner-node.ts";
import { targetNames } from "../quant/inner.ts";
import { parseMethod, parseRecipe, placeChoices, type Recipe, type RecipeInput } from "../recipe/inner.ts";
import { parseGridRule, readPlan } from "./grid-options.ts";
import { type DataOptions, inputsOf, preprocessOf, sha256 } from "./inputs.ts";
import { type ClassAxisOptions, classAxisOf } from "./metric-options.ts";
import { findConfig, readRecipeFile } from "./recipe-file.ts";
import { readJson } from "./text-file.ts";

export interface RecipeOptions extends DataOptions, ClassAxisOptions {
  readonly recipe?: string;
  readonly target?: string;
  readonly weights?: string;
  readonly activations?: string;
  readonly granularity?: string;
  readonly calibration?: string;
  readonly float?: readonly string[];
  readonly grid?: readonly string[];
  readonly form?: string;
  readonly ports?: string;
  readonly accuracyLevel?: string;
  readonly plan?: string;
  readonly preset?: string;
  readonly statistics?: string;
  readonly method?: readonly string[];
  readonly batch?: number;
  readonly seed?: number;
  readonly targetMacs?: number;
  readonly targetBytes?: number;
  readonly finetune?: string;
  /** Of `train`. */
  readonly epochs?: number;
  readonly learningRate?: number;
  readonly ranges?: string;
  readonly batchNorms?: string;
}

/**
 * The recipe of a run. A file that was found and not named is printed. Throws `import/not-found` without a model file,
 * `recipe/invalid` with every fault at once, `usage/…`.
 */
export async function recipeOf(
  model: string,
  options: RecipeOptions,
  tell: (text: string) => void = () => {},
): Promise<Recipe> {
  expectModelFile(model);
  classAxisOf(options.classAxis);
  const file = options.recipe ?? findConfig(process.cwd());
  if (file && !options.recipe) tell(`recipe: ${file}\n`);
  // Where its schema lies is told for editors, from where the file is.
  const { $schema: _, methods, ...rest } = (file ? expectObject(await readRecipeFile(file), file) : {}) as RecipeInput;
  // Methods replace a preset: one that is asked for here has to replace them in turn.
  const replaced = options.preset !== undefined || options.statistics !== undefined;
  const base = methods === undefined || replaced ? rest : { ...rest, methods };
  // Methods that a preset replaces are checked all the same: a file with faults should not pass on some days.
  const given = parseRecipe(methods === undefined ? rest : { ...rest, methods }, file ?? "recipe");
  const { weights, activations, granularity, calibration, float, preset, batch, seed } = options;
  const data = options.data ?? given.data;
  const planned = options.plan === undefined ? undefined : readPlan(options.plan);
  const target = options.target === undefined ? undefined : targetOf(options.target);
  // Entries of one target with the constraints and biases of another would be neither.
  if (planned?.target !== undefined && target !== undefined && target !== planned.target) {
    throw new AvocetError("usage/bad-value", `expected the target of the plan, ${planned.target}, got another`, {
      at: "--target",
      hint: `leave --target out, or make a plan with \`avocet plan --target ${options.target}\``,
    });
  }
  const chosen = {
    target: target ?? (rest.target ? undefined : planned?.target),
    plan: planned?.plan,
    grids: options.grid?.map(parseGridRule),
    weights,
    activations,
    granularity,
    form: options.form,
    ports: options.ports,
    accuracyLevel: options.accuracyLevel === undefined ? undefined : Number(options.accuracyLevel),
    calibration,
    float,
    // Methods need the data itself.
    preset: preset ?? (options.statistics !== undefined && !options.method ? "fast" : undefined),
    methods: options.method?.map(parseMethod),
    batch,
    seed,
    samples: options.samples === undefined ? undefined : samplesOf(options.samples),
    preprocess: preprocessOf(options, given),
    ...inputsOf(options, given),
    classAxis: options.classAxis,
    data: data === undefined ? undefined : absoluteData(data),
    statistics: options.statistics === undefined ? undefined : resolve(options.statistics),
    compression: compressionOf(options, given),
    training: trainingOf(options, given),
    model: { path: resolve(model), sha256: sha256(model) },
  };
  const defined = Object.entries(chosen).filter(([, value]) => value !== undefined);
  const recipe = parseRecipe({ ...base, ...Object.fromEntries(defined) }, file ?? "the options");
  // Before data is opened, and whatever the command does first.
  placeChoices(recipe);
  return recipe;
}

/** The recipe's compression with the options over it. */
function compressionOf(
  { targetMacs, targetBytes, finetune }: RecipeOptions,
  { compression }: Recipe,
): object | undefined {
  if (targetMacs !== undefined && targetBytes !== undefined) {
    throw new AvocetError("usage/missing", "expected one of --target-macs and --target-bytes, got both", {
      hint: "--target-macs 0.5 keeps half of the multiply-accumulates",
    });
  }
  const { macs, parameters, ratios, ...rest } = compression ?? {};
  const budget =
    targetMacs !== undefined
      ? { macs: targetMacs }
      : targetBytes !== undefined
        ? { parameters: targetBytes }
        : {
            ...(macs !== undefined && { macs }),
            ...(parameters !== undefined && { parameters }),
            ...(ratios && { ratios }),
          };
  if (Object.keys(budget).length === 0) {
    if (finetune === undefined) return compression;
    throw new AvocetError("usage/missing", "expected --target-macs or --target-bytes next to --finetune, got none", {
      hint: "avocet train trains a model that is not compressed",
    });
  }
  return { ...rest, ...budget, ...(finetune === undefined ? {} : { finetune: fineTuningOf(finetune) }) };
}

/** `epochs=10,flip=true` as the options of fine-tuning, still to be checked. Throws `usage/bad-value`. */
export function fineTuningOf(text: string): object {
  const { method: _, ...options } = parseMethod(`finetune:${text}`);
  return options;
}

/** The recipe's way to train with the options over it. */
function trainingOf({ epochs, learningRate, ranges, batchNorms }: RecipeOptions, given: Recipe): object | undefined {
  const chosen = Object.entries({ epochs, learningRate, ranges, batchNorms }).filter(
    ([, value]) => value !== undefined,
  );
  return chosen.length === 0 ? given.training : { ...given.training, ...Object.fromEntries(chosen) };
}

function expectObject(recipe: unknown, at: string): object {
  if (typeof recipe === "object" && recipe !== null && !Array.isArray(recipe)) return recipe;
  const got = JSON.stringify(recipe).slice(0, 40);
  throw new AvocetError("recipe/invalid", `expected an object with the choices of a recipe, got ${got}`, {
    at,
    hint: "docs/recipes.md lists them",
  });
}

/** A built-in target by name, else a file. What is neither is refused by the error of the target. */
function targetOf(text: string): string | object {
  if (targetNames.includes(text) || !isFile(text)) return text;
  return readJson(text) as object;
}

function samplesOf(text: string): string | number {
  return /^\d+$/.test(text) ? Number(text) : text;
}

/** `PATH?every=5` with an absolute path, so that the recipe says where the data was from any folder. */
function absoluteData(spec: string): string {
  return spec.startsWith("{") ? spec : resolve(spec);
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}
