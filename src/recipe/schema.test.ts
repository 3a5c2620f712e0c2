import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { defineConfig, parseRecipe, presets, recipeJsonSchema } from "./inner.ts";
import { methodSchema } from "./method-options.ts";

test("an empty recipe is the default one", () => {
  expect(parseRecipe({})).toMatchObject({ target: "ort-cpu", calibration: "sqnr", samples: 500, float: [], seed: 0 });
});

test("every fault is told at once, with its place", () => {
  const faulty = { targte: "x", samples: -1, granularity: "row", calibration: "magic", seed: 0.5 };
  try {
    parseRecipe(faulty, "mine.json");
    expect.unreachable();
  } catch (error) {
    expect(error).toMatchObject({ code: "recipe/invalid", detail: { at: "mine.json" } });
    for (const word of ["targte", "samples", "granularity", "tensor, channel or block:SIZE", "sqnr, minmax", "seed"]) {
      expect((error as Error).message).toContain(word);
    }
  }
});

test.each(["percentile:99.9", "percentile:100", "minmax", "tf_enhanced", "mse", "entropy"])(
  "calibration %s",
  (calibration) => {
    expect(parseRecipe(defineConfig({ calibration })).calibration).toBe(calibration);
  },
);

test.each(["percentile", "percentile:", "percentile:x", "SQNR", ""])("calibration %j is refused", (calibration) => {
  expect(() => parseRecipe({ calibration })).toThrow(/faults/);
});

test.each([
  [{ method: "adaroun" }, /expected one of the methods dead-channels, .*adaround/],
  [{ method: "adaround", iteration: 5 }, /iteration/],
  [{ method: "cle", iterations: 5 }, /iterations/],
  [{ method: "gptq", damping: 0 }, /damping/],
])("the step %j is refused", (step, message) => {
  expect(() => parseRecipe({ methods: [step] })).toThrow(message);
});

test("the options of methods are typed", () => {
  const config = defineConfig({ methods: [{ method: "cle" }, { method: "adaround", iterations: 200, beta: [10, 2] }] });
  // Defaults are written down, so that a recipe means the same when they change.
  expect(parseRecipe(config).methods).toEqual([
    { method: "cle" },
    expect.objectContaining({ method: "adaround", iterations: 200, beta: [10, 2], learningRate: 0.01, descent: true }),
  ]);
  // @ts-expect-error gptq has no iterations
  expect(() => parseRecipe(defineConfig({ methods: [{ method: "gptq", iterations: 1 }] }))).toThrow(/iterations/);
});

test("what a recipe became is a recipe again", () => {
  const recipe = parseRecipe({
    weights: "int4",
    granularity: "block:32",
    float: ["/^head/"],
    preprocess: { scale: "1/255" },
  });
  expect(parseRecipe(JSON.parse(JSON.stringify(recipe)))).toEqual(recipe);
});

test("the published JSON Schema is up to date", () => {
  const published = readFileSync(new URL("../../schema/recipe.schema.json", import.meta.url), "utf8");
  expect(published, "npm run schema").toBe(`${JSON.stringify(recipeJsonSchema(), null, 2)}\n`);
});

test("docs/recipes.md has every preset, every method and every option, and no other", () => {
  const page = readFileSync(new URL("../../docs/recipes.md", import.meta.url), "utf8");
  const section = (title: string) => page.split(`\n## ${title}\n`)[1]!.split("\n## ")[0]!;
  const presetRows = [...section("Presets").matchAll(/^\| `([a-z-]+)` \|/gm)].map((match) => match[1]);
  expect(presetRows).toEqual(Object.keys(presets));
  const rows = [...section("Methods").matchAll(/^\| `([a-z-]+)` \| \w+ \| ([^|]*)\|/gm)];
  const told = rows.map(([, name, options]) => [name, [...options!.matchAll(/`(\w+)`/g)].map((match) => match[1])]);
  const known = methodSchema.options.map(({ shape }) => [
    shape.method.value,
    Object.keys(shape).filter((key) => key !== "method"),
  ]);
  expect(told).toEqual(known);
});

test("the JSON Schema names every key that is read", () => {
  const schema = recipeJsonSchema() as { properties: Record<string, unknown>; additionalProperties: boolean };
  expect(schema.additionalProperties).toBe(false);
  expect(Object.keys(schema.properties)).toEqual(
    expect.arrayContaining(["target", "weights", "calibration", "samples", "float", "preprocess", "seed"]),
  );
});

test("an accuracy level belongs to a form with MatMulNBits", () => {
  expect(parseRecipe({ form: "weight-only", accuracyLevel: 4 }).accuracyLevel).toBe(4);
  expect(parseRecipe({ form: "weight-only+fp16", accuracyLevel: 1 }).accuracyLevel).toBe(1);
  for (const form of ["qdq", "dynamic", undefined] as const)
    expect(() => parseRecipe({ accuracyLevel: 4, ...(form ? { form } : {}) })).toThrow(
      /a weight-only form next to an accuracy level/,
    );
  expect(() => parseRecipe({ form: "weight-only", accuracyLevel: 2 as 4 })).toThrow(/accuracyLevel/);
});
