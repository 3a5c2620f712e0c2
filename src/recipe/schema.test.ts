import { expect, test } from "vitest";
import { defineConfig, parseRecipe, recipeJsonSchema } from "./index.ts";

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

test("what a recipe became is a recipe again", () => {
  const recipe = parseRecipe({
    weights: "int4",
    granularity: "block:32",
    float: ["/^head/"],
    preprocess: { scale: "1/255" },
  });
  expect(parseRecipe(JSON.parse(JSON.stringify(recipe)))).toEqual(recipe);
});

test("the JSON Schema names every key that is read", () => {
  const schema = recipeJsonSchema() as { properties: Record<string, unknown>; additionalProperties: boolean };
  expect(schema.additionalProperties).toBe(false);
  expect(Object.keys(schema.properties)).toEqual(
    expect.arrayContaining(["target", "weights", "calibration", "samples", "float", "preprocess", "seed"]),
  );
});
