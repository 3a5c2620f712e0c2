/** Recipes without data: what they say to `dataFreeQuantization`, and what their result can be looked at with. */
import type { Work } from "../base/inner.ts";
import { type Dataset, fromIterable } from "../data/inner.ts";
import type { Runtime } from "../runtime/inner.ts";
import { type DataFreeContext, inputsOf } from "./data-free.ts";
import { noiseFeeds } from "./noise-inputs.ts";
import { placeChoices, planOf } from "./placement.ts";
import type { Quantized } from "./quantized.ts";
import type { Recipe } from "./schema.ts";
import { targetOf } from "./stages.ts";

/** The context in which a recipe is carried out without data. */
export function dataFreeContext(recipe: Recipe, runtime: Runtime, work: Work): DataFreeContext {
  return {
    signal: work.signal,
    onProgress: work.onProgress,
    runtime,
    target: targetOf(recipe),
    preprocess: recipe.preprocess,
    inputs: knowledgeOf(recipe),
    ...placeChoices(recipe),
    plan: planOf(recipe),
  };
}

/**
 * So many samples of noise within the range that is known of the inputs, for what must be measured on something: kernels,
 * latency, the noise of values. They are no data, and no decision on them means anything. Undefined where an input has no
 * static shape, is not float32, or where nothing is known of it.
 */
export function noiseData({ prepared, shapes }: Quantized, recipe: Recipe, count: number): Dataset | undefined {
  const known = inputsOf(prepared, { preprocess: recipe.preprocess, inputs: knowledgeOf(recipe) });
  const feeds = (seed: number) => noiseFeeds(prepared, shapes, known, seed);
  if (!feeds(0)) return undefined;
  const all = function* () {
    for (let seed = 0; seed < count; seed++) yield feeds(seed)!;
  };
  return fromIterable(all, { source: "noise within the range of the inputs" });
}

/** What the recipe knows of the ranges of inputs. */
function knowledgeOf({ inputs = {} }: Recipe): DataFreeContext["inputs"] {
  const known = Object.entries(inputs).flatMap(([name, { batch: _b, constant, state: _s, ...range }]) => {
    const one = constant === undefined ? range : { ...range, low: constant, high: constant };
    return one.low === undefined ? [] : [[name, one]];
  });
  // Zod says "or undefined" of an optional key where the methods say that it may be absent.
  return Object.fromEntries(known) as DataFreeContext["inputs"];
}
