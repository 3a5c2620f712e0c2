/** The recipe: what the user asked for, as data. Validated here; published as JSON Schema. */
import { z } from "zod";
import { AvocetError } from "../base/inner.ts";
import { checkSchema, preprocessSchema } from "../data/inner-files.ts";
import { compressionSchema } from "./compression-options.ts";
import { formNames, refuseAccuracyLevel, refuseIntegers, refusePorts } from "./forms.ts";
import { granularitySchema, gridRuleSchema, refuseBesidePlan } from "./grid-rules.ts";
import { inputSchema } from "./input-options.ts";
import { methodSchema } from "./method-options.ts";
import { trainingSchema } from "./training-options.ts";

const granularity = granularitySchema.describe("What shares one weight scale; default: what the target prefers.");

const calibration = z
  .string()
  .regex(
    /^(sqnr|minmax|tf_enhanced|mse|entropy|percentile:\d+(\.\d+)?)$/,
    "expected sqnr, minmax, tf_enhanced, percentile:P, mse or entropy",
  )
  .describe("How ranges are chosen from what was observed.");

export const presetNames = ["fast", "standard", "best", "data-free"] as const;

/** Each key has its documentation in `describe`, which editors show of JSON, and in a comment, which they show of programs. */
export const recipeSchema = z.strictObject({
  $schema: z.string().optional(),
  /** A built-in target, or an AIMET quantsim configuration. Default "ort-cpu". */
  target: z
    .union([z.string(), z.looseObject({})])
    .default("ort-cpu")
    .describe("A built-in target, or an AIMET quantsim configuration."),
  /** Grid of the weights: "int4", "int8" … Default: the target's. "float32": none. */
  weights: z
    .string()
    .optional()
    .describe("Grid of the weights, for example int4; default: the target's. float32: none."),
  /** Grid of the activations: "uint8", "int16" … Default: the target's. "float32": none. */
  activations: z
    .string()
    .optional()
    .describe("Grid of the activations, for example uint8 or int16; default: the target's. float32: none."),
  /** What shares one weight scale: "tensor", "channel" or "block:32". Default: what the target prefers. */
  granularity: granularity.optional(),
  /** How ranges are chosen: "sqnr" (the default), "minmax", "tf_enhanced", "percentile:99.9", "mse", "entropy". */
  calibration: calibration.default("sqnr"),
  /** Calibration samples: N spread evenly, or "first:N". Default 500. */
  samples: z
    .union([z.number().int().positive(), z.string()])
    .default(500)
    .describe("How many calibration samples: N spread evenly, or first:N."),
  /** Samples a run. Default: by the size of the model. */
  batch: z.number().int().positive().optional().describe("Samples a run; default: chosen by the size of the model."),
  /** What stays in float: node names, /regular expressions/ or operator types. Default none. */
  float: z
    .array(z.string())
    .default([])
    .describe("Node names, /regular expressions/ or operator types that stay float."),
  /** Other grids for some layers: the later of two rules for one layer holds; `float` holds before all. Default none. */
  grids: z
    .array(gridRuleSchema)
    .default([])
    .describe("Other grids for some layers; of two rules for one layer the later one holds, and float before all."),
  /** What the weights are stored for: "qdq", "weight-only", "dynamic", "fp16", "bf16", or one with "+fp16". Default: what the target says. */
  form: z
    .enum(formNames)
    .optional()
    .describe(
      "What weights are stored for: qdq (DequantizeLinear), or weight-only (float activations; int4 in blocks of 32, packed for MatMulNBits and GatherBlockQuantized), or dynamic (int8 weights, inputs rounded to uint8 as the model runs), or fp16 (float16 but for what does not fit), or bf16 (rounded to bfloat16 by Casts); +fp16 behind another one holds for what has no quantizer. Default: what the target says.",
    ),
  /** Next to a form with fp16: the type of the model's inputs and outputs of floats. Default "float32". */
  ports: z
    .enum(["float32", "float16"])
    .optional()
    .describe("Next to a form with fp16: the type of the model's inputs and outputs of floats; default float32."),
  /** Next to a weight-only form: 1, products in float32, or 4, inputs rounded to int8 as the model runs. Default 1. */
  accuracyLevel: z
    .union([z.literal(1), z.literal(4)])
    .optional()
    .describe(
      "Next to a weight-only form: what MatMulNBits computes in, 1 (float32) or 4 (inputs rounded to int8 as the model runs: faster, half a percent of the output away); default 1.",
    ),
  /** A plan as `avocet plan` writes it, in the place of weights, activations, granularity, float and grids. */
  plan: z
    .looseObject({})
    .optional()
    .describe("A plan as avocet plan writes it, in the place of weights, activations, granularity, float and grids."),
  /** A named list of methods: "fast", "standard" (the default), "best" or "data-free". */
  preset: z
    .enum(presetNames)
    .default("standard")
    .describe(
      "A named list of methods: fast (folding and calibration), standard, best or data-free. `methods` replaces it.",
    ),
  /** Methods in their order, with options; they replace the preset. */
  methods: z.array(methodSchema).optional().describe("What is done next to folding and calibration, in this order."),
  /** Makes the float model smaller first: `{ macs: 0.5 }`. Default: it is quantized as it is. */
  compression: compressionSchema.optional(),
  /** How `trainModel` trains. */
  training: trainingSchema.optional(),
  /** From pixels to the model's input. */
  preprocess: preprocessSchema.optional(),
  /** What is known of inputs, by name: the axis of their samples, a constant, a state, a range. */
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
  /** Steps of a sequence: states begin again after so many samples. Default: never. */
  sequence: z
    .number()
    .int()
    .positive()
    .optional()
    .describe("Steps of a sequence: states begin again after so many samples. Default: they never do."),
  /** Of everything random. Default 0. */
  seed: z.number().int().nonnegative().default(0),
  /** The float model that was quantized: path and SHA-256. Written by the command line. */
  model: z
    .strictObject({ path: z.string(), sha256: z.string() })
    .optional()
    .describe("The float model that was quantized."),
  /** Where the calibration data was. Written by the command line. */
  data: z.string().optional().describe("Where the calibration data was."),
  /** A file of `avocet observe` that ranges are found from instead of data. Of the command line; programs pass what is in it. */
  statistics: z.string().optional().describe("A file of avocet observe that ranges are found from, instead of data."),
});

/** A recipe with its defaults filled in: `parseRecipe` returns one, `recipe.json` holds one. */
export type Recipe = z.infer<typeof recipeSchema>;
/**
 * What is quantized, and how, as a user writes it; what is left out has its default (docs/recipes.md has them all).
 *
 * @example
 * const recipe: RecipeInput = { weights: "int4", granularity: "block:32", methods: [{ method: "gptq", damping: 0.05 }] };
 */
export type RecipeInput = z.input<typeof recipeSchema>;

/** Checks a recipe and fills its defaults. Throws `recipe/invalid` with every fault at once. */
export function parseRecipe(input: unknown, at = "recipe"): Recipe {
  const result = checkSchema(recipeSchema, input);
  if ("value" in result) {
    refuseBesidePlan(result.value, at);
    refuseIntegers(result.value, at);
    refusePorts(result.value, at);
    refuseAccuracyLevel(result.value, at);
    return result.value;
  }
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
