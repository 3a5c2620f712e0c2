/** What a recipe says of placement: grids and granularities, of the model and of single layers, or a whole plan. */
import type { Model } from "../ir/inner.ts";
import {
  adoptPlan,
  type GridRule,
  isAimets,
  type PlaceOptions,
  type Plan,
  parseGrids,
  place,
  type Scheme,
  type Target,
  type WeightGranularity,
} from "../quant/inner.ts";
import { parsePlan } from "../quant/inner-files.ts";
import { type Form, forms } from "./forms.ts";
import type { Recipe } from "./schema.ts";

/** The choices of a recipe that go to placement. */
type Choices = Pick<
  Recipe,
  "weights" | "activations" | "granularity" | "float" | "grids" | "form" | "ports" | "accuracyLevel"
>;

/** The same choices as `place` takes them. Throws `quant/unknown-grid` and `quant/unsupported-grid`. */
export function placeChoices(recipe: Choices): Omit<PlaceOptions, "shapes"> {
  const { float, grids } = recipe;
  const form: Partial<Form> = recipe.form ? forms[recipe.form] : {};
  const given = spelled(recipe);
  const { weights = form.weights, activations = form.activations, granularity = form.granularity } = given;
  return {
    ...parseGrids({ weights, activations }),
    granularity: granularityOf(granularity),
    storage: form.storage,
    ...(recipe.accuracyLevel === 4 ? { accuracyLevel: 4 } : {}),
    ...(form.half
      ? { half: { dtype: "float16", ...(recipe.ports === "float16" ? { ports: true } : {}), float: [] } }
      : {}),
    keepFloat: float,
    grids: grids.map((rule): GridRule => {
      const one = spelled(rule);
      return { match: rule.match, ...parseGrids(one), granularity: granularityOf(one.granularity) };
    }),
  };
}

/**
 * The plan of a recipe for a model of these types, still without encodings. `exactScales`: see `place`; default: by the scheme. Throws what `place`
 * and `adoptPlan` throw.
 */
export function placedBy(
  recipe: Choices & Pick<Recipe, "plan" | "calibration">,
  model: Model,
  target: Target,
  shapes: PlaceOptions["shapes"],
  { exactScales = !isAimets(recipe.calibration as Scheme) } = {},
): Plan {
  const given = planOf(recipe);
  if (given) return adoptPlan(model, given);
  return place(model, target, {
    shapes,
    ...placeChoices(recipe),
    exactScales,
  });
}

/** The plan that a recipe holds. Throws `quant/invalid-plan`. */
export function planOf({ plan }: Pick<Recipe, "plan">): Plan | undefined {
  return plan === undefined ? undefined : parsePlan(plan, "the recipe's plan");
}

/** "block:32" → { block: 32 }, "lpbq:64:4" → the same with scales on two levels; the schema has checked the form. */
export function granularityOf(text: string | undefined): WeightGranularity | undefined {
  if (text === undefined || text === "tensor" || text === "channel") return text;
  const [kind, size, bits] = text.split(":");
  const block = Number(size);
  if (kind === "block") return { block };
  const form = kind as "lpbq" | "mx" | "nvfp4";
  return { block, twoLevel: { form, ...(bits === undefined ? {} : { scaleBits: Number(bits) }) } };
}

/** Names for a grid of four bits with blocks of a size and scales of a kind, as hardware has them. */
const formats: Readonly<Record<string, { readonly weights: string; readonly granularity: string }>> = {
  mxfp4: { weights: "float4e2m1", granularity: "mx:32" },
  nvfp4: { weights: "float4e2m1", granularity: "nvfp4:16" },
};

/** Weights and granularity with such a name spelled out. A granularity that is given holds. */
function spelled<T extends Pick<Recipe, "weights" | "granularity">>(choice: T): T {
  const format = choice.weights === undefined ? undefined : formats[choice.weights];
  return format ? { ...choice, ...format, granularity: choice.granularity ?? format.granularity } : choice;
}
