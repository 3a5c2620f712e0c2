/** The table of layers: what each layer became, whoever renamed, widened or held it on the way. */
import { expect, test } from "vitest";
import { arrayData } from "../../test/array-data.ts";
import { seededFeeds } from "../../test/same-outputs.ts";
import { parseModel } from "../ir/inner.ts";
import { openRuntime } from "../runtime/inner.ts";
import { quantizeModel } from "./quantize.ts";
import type { Quantized } from "./quantized.ts";
import { layerReports } from "./report-layers.ts";
import { parseRecipe, type RecipeInput } from "./schema.ts";

const runtime = await openRuntime();
const model = parseModel(
  `<ir_version: 10, opset_import: ["" : 21]> f (float[N,16] x) => (float[N,16] y) <float[16,32] w, float[32,16] v> {
    h = MatMul(x, w)
    r = Relu(h)
    y = MatMul(r, v) }`,
  { seed: 1 },
);

async function made(recipe: RecipeInput): Promise<Quantized> {
  return await quantizeModel(model, arrayData(seededFeeds(model, { dims: { N: 64 } })), parseRecipe(recipe), runtime);
}

/** What a runtime would say of every product. */
function rows(quantized: Quantized) {
  const kernels = quantized.lowered.products.map(({ nodes }) => ({
    node: `${nodes.at(-1)}`,
    integer: true,
    kernel: "K",
  }));
  return layerReports(quantized, [], kernels).map(({ name, bytes, kernel }) => ({ name, bytes, kernel }));
}

test("a layer that got a bias, which took over the name of its output, is still there", async () => {
  const quantized = await made({ target: "aimet-default", weights: "int4", methods: [{ method: "bias-correction" }] });
  expect([...quantized.decided.graph.nodes].map(({ op }) => op)).toEqual(["MatMul", "Add", "Relu", "MatMul", "Add"]);
  // Integers of four bits, a float32 scale and a zero point of eight bits per output channel.
  expect(rows(quantized)).toEqual([
    { name: "h", bytes: 256 + 32 * 5, kernel: "K" },
    { name: "r", bytes: 0, kernel: null },
    { name: "y", bytes: 256 + 16 * 5, kernel: "K" },
  ]);
});

test.each([
  // Four bits behind a Cast to eight; zero points of eight.
  ["int4", undefined, 256 + 32 * 5],
  // Blocks of eight bits are held apart from their reader; a scale and a zero point per block.
  ["int8", "block:4", 512 + 128 * 5],
  // Half precision behind a Cast.
  ["float16", undefined, 1024],
])("bytes of weights %s, %s", async (weights, granularity, bytes) => {
  const quantized = await made({ preset: "fast", weights, ...(granularity ? { granularity } : {}) });
  expect(rows(quantized)[0]).toMatchObject({ name: "h", bytes });
});
