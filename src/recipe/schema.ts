/** The recipe: what the user asked for, as data. Validated here; published as JSON Schema. */
import { z } from "zod";
import { AvocetError } from "../base/inner.ts";
import { checkSchema, preprocessSchema } from "../data/inner.ts";
import { inputSchema } from "./input-options.ts";
import { methodSchema } from "./method-options.ts";
import { trainingSchema } from "./training-options.ts";

const granularity = z
  .string()
  .regex(/^(tensor|channel|block:([2-9]|[1-9]\d+))$/, "expected tensor, channel or block:SIZE with a size of 2 or more")
  .describe("What shares one weight scale; default: what the target prefers.");

const calibration = z
  .string()
  .regex(
    /^(sqnr|minmax|tf_enhanced|mse|entropy|percentile:\d+(\.\d+)?)$/,
    "expected sqnr, minmax, tf_enhanced, percentile:P, mse or entropy",
  )
  .describe("How ranges are chosen from what was observed.");

export const presetNames = ["fast", "standard", "best", "data-free"] as const;

export const recipeSchema = z.strictObject({
  $schema: z.string().optional(),
  target: z
    .union([z.string(), z.looseObject({})])
    .default("ort-cpu")
    .describe("A built-in target, or an AIMET quantsim configuration."),
  weights: z
    .string()
    .optional()
    .describe("Grid of the weights, for example int4; default: the target's. float32: none."),
  activations: z
    .string()
    .optional()
    .describe("Grid of the activations, for example uint8 or int16; default: the target's. float32: none."),
  granularity: granularity.optional(),
  calibration: calibration.default("sqnr"),
  samples: z
    .union([z.number().int().positive(), z.string()])
    .default(500)
    .describe("How many calibration samples: N spread evenly, or first:N."),
  batch: z.number().int().positive().optional().describe("Samples a run; default: chosen by the size of the model."),
  float: z
    .array(z.string())
    .default([])
    .describe("Node names, /regular expressions/ or operator types that stay float."),
  preset: z
    .enum(presetNames)
    .default("standard")
    .describe(
      "A named list of methods: fast (folding and calibration), standard, best or data-free. `methods` replaces it.",
    ),
  methods: z.array(methodSchema).optional().describe("What is done beside folding and calibration, in this order."),
  training: trainingSchema.optional(),
  preprocess: preprocessSchema.optional(),
  inputs: z
    .record(z.string(), inputSchema)
    .optional()
    .describe(
      "What is known of inputs, by name: their samples' axis, a constant, a state, the range for preset data-free.",
    ),
  classAxis: z
    .array(z.string().regex(/^(.+:)?(-?\d{1,2}|none)$/, "expected an axis, none or OUTPUT:AXIS"))
    .optional()
    .describe(
      "Where outputs hold classes, as --class-axis says it: an axis, none, or OUTPUT:AXIS for each of several.",
    ),
  sequence: z
    .number()
    .int()
    .positive()
    .optional()
    .describe("Steps of a sequence: states begin anew after so many samples. Default: they never do."),
  seed: z.number().int().nonnegative().default(0),
  model: z
    .strictObject({ path: z.string(), sha256: z.string() })
    .optional()
    .describe("The float model that was quantized."),
  data: z.string().optional().describe("Where the calibration data was."),
});

export type Recipe = z.infer<typeof recipeSchema>;
export type RecipeInput = z.input<typeof recipeSchema>;

/** Checks a recipe and fills its defaults. Throws `recipe/invalid` with every fault at once. */
export function parseRecipe(input: unknown, at = "recipe"): Recipe {
  const result = checkSchema(recipeSchema, input);
  if ("value" in result) return result.value;
  throw new AvocetError("recipe/invalid", `the recipe has faults:\n${result.faults}`, {
    at,
    hint: "docs/recipes.md explains every key; schema/recipe.schema.json lets an editor check them",
  });
}

/** A typed recipe for `avocet.config.ts`. */
export function defineConfig(recipe: RecipeInput): RecipeInput {
  return recipe;
}

/** The JSON Schema of a recipe, for editors: draft 7, which most of them know in full. */
export function recipeJsonSchema(): object {
  const title = "A recipe of Avocet: what is quantized, and how";
  return { ...z.toJSONSchema(recipeSchema, { io: "input", target: "draft-7" }), title };
}
