/** Keras' layers, one by one and in small networks, in four forms of files, against what Keras itself computed (tools/keras_goldens.py). */
import { describe, expect, test } from "vitest";
import { type KerasCase, kerasCases } from "../../../test/keras-cases.ts";
import { check } from "../../ir/inner.ts";
import { openRuntime } from "../../runtime/inner.ts";
import { readHdf5 } from "../hdf5/read.ts";
import { kerasArchive } from "./archive.ts";
import { layerFamilies } from "./layers/table.ts";
import { read } from "./read.ts";

describe.each(kerasCases.map((one) => [one.name, one] as const))("%s", (_, { file, bytes, inputs, outputs }) => {
  test("has Keras' outputs", async () => {
    const model = read({ name: file, bytes });
    check(model);
    const runtime = await openRuntime();
    await using session = await runtime.open(model);
    const feeds = Object.fromEntries(model.graph.inputs.map((value, i) => [value.name, inputs[i]!]));
    const made = await session.run(feeds);
    expect(model.graph.outputs.length).toBe(outputs.length);
    for (const [i, { name }] of model.graph.outputs.entries()) {
      const [y, expected] = [made[name]!, outputs[i]!];
      expect(y.shape).toEqual(expected.shape);
      const largest = expected.floats().reduce((most, x) => Math.max(most, Math.abs(x)), 1e-3);
      const numbers = y.numbers();
      // Sums of up to some hundred float32 products in another order.
      for (const [at, x] of expected.floats().entries())
        expect(Math.abs(x - numbers[at]!)).toBeLessThan(1e-5 * largest);
    }
  });
});

/** The configuration of a file, as text. */
function configOf({ file, bytes }: KerasCase): string {
  if (file.endsWith(".keras")) return new TextDecoder().decode(kerasArchive(bytes, file).get("config.json")!());
  return readHdf5(bytes, file).texts().get("model_config")![0]!;
}

test("every layer that is translated has a case, but for those that do nothing", () => {
  const text = kerasCases.map(configOf).join("\n");
  const shown = new Set([...text.matchAll(/"class_name": "(\w+)"/g)].map((match) => match[1]));
  const classes = Object.values(layerFamilies).flatMap((rows) => Object.keys(rows));
  expect(classes.filter((name) => !shown.has(name))).toMatchInlineSnapshot(`
    [
      "LayerScale",
      "StochasticDepth",
      "CustomScaleLayer",
      "SpatialDropout2D",
      "SpatialDropout3D",
      "AlphaDropout",
      "GaussianDropout",
      "ActivityRegularization",
      "Identity",
      "RandomFlip",
      "RandomRotation",
      "RandomZoom",
      "RandomTranslation",
      "RandomContrast",
      "RandomBrightness",
    ]
  `);
});
