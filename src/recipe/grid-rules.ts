/** Rules for the grids of single layers as a recipe writes them, and what may not stand next to a plan. */
import { z } from "zod";
import { AvocetError } from "../base/inner.ts";

export const granularitySchema = z
  .string()
  .regex(
    /^(tensor|channel|(block|mx|nvfp4):([2-9]|[1-9]\d+)|lpbq:([2-9]|[1-9]\d+)(:[1-8])?)$/,
    "expected tensor, channel or block:SIZE with a size of 2 or more, lpbq:SIZE, lpbq:SIZE:BITS, mx:SIZE or nvfp4:SIZE",
  );

export const gridRuleSchema = z
  .strictObject({
    /** A node name, value name, operator type, /regular expression/, or FROM..TO: what lies between two of them. */
    match: z
      .string()
      .min(1)
      .describe(
        "A node name, value name, operator type, /regular expression/, or FROM..TO: what lies between two of them.",
      ),
    /** Grid of the weights of these nodes. */
    weights: z.string().optional().describe("Grid of the weights of these nodes."),
    /** Grid of the activations that these nodes read and give. */
    activations: z.string().optional().describe("Grid of the activations that these nodes read and give."),
    /** What shares one scale of their weights. */
    granularity: granularitySchema.optional().describe("What shares one scale of their weights."),
  })
  .refine(
    ({ weights, activations, granularity }) => (weights ?? activations ?? granularity) !== undefined,
    "expected weights, activations or granularity next to match",
  );

/** The part of a recipe that a plan takes the place of, and the plan. */
interface Chosen {
  readonly weights?: string | undefined;
  readonly activations?: string | undefined;
  readonly granularity?: string | undefined;
  readonly float: readonly string[];
  readonly grids: readonly unknown[];
  readonly form?: string | undefined;
  readonly plan?: object | undefined;
}

/** Throws `recipe/invalid` for choices of placement next to a plan, which has them already. */
export function refuseBesidePlan(recipe: Chosen, at: string): void {
  if (recipe.plan === undefined) return;
  const { weights, activations, granularity, float, grids, form } = recipe;
  const beside = Object.entries({ weights, activations, granularity, float, grids, form }).flatMap(([key, choice]) =>
    choice === undefined || (Array.isArray(choice) && choice.length === 0) ? [] : [key],
  );
  if (beside.length === 0) return;
  throw new AvocetError("recipe/invalid", `expected a plan or ${beside.join(", ")}, got both`, {
    at,
    hint: "a plan says the grid of every value already: edit it, or leave it out",
  });
}
