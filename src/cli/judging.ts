/** What --evaluate asks for, opened: labelled data and the metric that judges. */
import type { Model } from "../ir/inner.ts";
import type { Judging, Recipe } from "../recipe/inner.ts";
import type { RuntimeName } from "../runtime/inner.ts";
import { placeOf } from "./data-place.ts";
import { hasStates, openSamples } from "./inputs.ts";
import { type JudgeOptions, openMetric } from "./metric-options.ts";

export interface JudgingOptions extends JudgeOptions {
  readonly evaluateSamples?: string;
  readonly threads?: number;
  readonly runtime: RuntimeName;
}

/** Opens labelled data before anything long begins. Throws what `openSamples` and `openMetric` throw. */
export async function openJudging(
  model: Model,
  spec: string,
  options: JudgingOptions,
  recipe: Recipe,
): Promise<Judging> {
  const openFor = (one: Model) => openSamples(one, spec, recipe.preprocess, options.evaluateSamples, recipe, options);
  const data = await openFor(model);
  const named = { ...options, classAxis: recipe.classAxis };
  const { make, labels, namedClasses } = await openMetric(named, spec, data, model);
  const states = hasStates(recipe) ? { dataOf: openFor } : {};
  return { data, ...states, place: placeOf(spec), metric: make, labels, namedClasses };
}
