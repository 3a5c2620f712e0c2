/** What a reader of a report wants to know of the recipe, in words. */
import { gridName } from "../quant/inner.ts";
import type { JudgedOn } from "../report/inner.ts";
import { isDataFree } from "./presets.ts";
import type { Quantized } from "./quantized.ts";
import type { Recipe } from "./schema.ts";
import { trainingSchema } from "./training-options.ts";

export function settingsOf({
  recipe,
  quantized,
  calibrated,
  judgedOn,
}: {
  readonly recipe: Recipe;
  readonly quantized: Quantized;
  readonly calibrated: number | null;
  readonly judgedOn: JudgedOn | null;
}): Record<string, string> {
  const weight = quantized.plan.entries.find((e) => e.kind === "weight");
  const activation = quantized.plan.entries.find((e) => e.kind === "activation");
  return {
    target: quantized.plan.target,
    weights: weight ? `${gridName(weight.grid)} per ${weight.granularity.kind}` : "float",
    activations: activation ? gridName(activation.grid) : "float",
    ...(recipe.statistics !== undefined
      ? { calibration: `${recipe.calibration}, from statistics` }
      : isDataFree(recipe)
        ? { calibration: "none: ranges without data" }
        : { calibration: recipe.calibration, samples: String(calibrated ?? recipe.samples) }),
    ...(recipe.methods ? { methods: recipe.methods.map((step) => step.method).join(" ") } : { preset: recipe.preset }),
    ...(recipe.compression ? { compression: compressionText(recipe.compression) } : {}),
    ...("before" in quantized ? { training: `${(recipe.training ?? trainingSchema.parse({})).epochs} epochs` } : {}),
    ...(judgedOn?.data === "noise" ? { compared: "on noise, no data was given" } : {}),
    ...(recipe.float.length > 0 ? { float: recipe.float.join(" ") } : {}),
    ...(recipe.grids.length > 0 ? { grids: recipe.grids.map(ruleText).join(" · ") } : {}),
    ...(recipe.form ? { form: recipe.form } : {}),
    ...(recipe.plan ? { plan: "given" } : {}),
  };
}

function ruleText({ match, weights, activations, granularity }: Recipe["grids"][number]): string {
  const parts = [weights && `weights ${weights}`, activations && `activations ${activations}`, granularity];
  return `${match}: ${parts.filter(Boolean).join(", ")}`;
}

function compressionText({ macs, parameters, finetune }: NonNullable<Recipe["compression"]>): string {
  const budget =
    macs !== undefined
      ? `${macs} of the MACs`
      : parameters !== undefined
        ? `${parameters} of the parameters`
        : "ratios by layer";
  return finetune ? `${budget}, trained ${finetune.epochs} epochs` : budget;
}
