/** `avocet plan`: what placement decides for a model, without data. Nothing is run. */

import { inferTypes } from "../../facts/inner.ts";
import { dataFilesOf, openModel } from "../../formats/inner-node.ts";
import { normalise } from "../../passes/inner.ts";
import { gridName, type Plan } from "../../quant/inner.ts";
import { planToJson } from "../../quant/inner-files.ts";
import { normalOf, placedBy, targetOf } from "../../recipe/inner.ts";
import type { Io } from "../io.ts";
import { openOutputFile } from "../output-file.ts";
import { type RecipeOptions, recipeOf } from "../recipe-options.ts";

export interface PlanOptions extends RecipeOptions {
  readonly output?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

export async function plan(path: string, options: PlanOptions, io: Io): Promise<void> {
  const read = [path, options.target, options.recipe, options.plan].flatMap((file) => file ?? []);
  const output = options.output
    ? openOutputFile(options.output, { force: options.force, kind: "plan", inputs: read })
    : undefined;
  const recipe = await recipeOf(path, options, options.json ? undefined : io.err);
  const model = await openModel(path);
  output?.expectApart(dataFilesOf(model));
  const target = targetOf(recipe);
  await normalise(model, normalOf(recipe, target));
  const placed = placedBy(recipe, model, target, inferTypes(model));
  const json = planToJson(placed);
  output?.write(json);
  io.out(options.json ? `${JSON.stringify(JSON.parse(json))}\n` : text(placed));
}

function text(plan: Plan): string {
  return [
    ...plan.entries.map(
      ({ value, kind, grid, granularity, reason }) =>
        `${kind.padEnd(10)} ${gridName(grid).padEnd(7)} per ${granularity.kind.padEnd(8)} ${value}: ${reason}\n`,
    ),
    ...plan.notQuantized.map(({ value, reason }) => `float                            ${value}: ${reason}\n`),
  ].join("");
}
