/**
 * Random networks, quantized for several targets by several presets: the shipped file runs stock and unoptimised, both agree, and
 * neither is further from float than eight bits explain. `bench/random-graphs.mjs` tries thousands.
 */
import { expect, test } from "vitest";
import { AvocetError } from "../src/base/inner.ts";
import { fromTensors } from "../src/data/inner.ts";
import { cloneModel } from "../src/ir/inner.ts";
import { targetFile } from "../src/quant/inner.ts";
import { parseRecipe, quantizeModel, type RecipeInput } from "../src/recipe/inner.ts";
import { openRuntime } from "../src/runtime/inner.ts";
import { randomGraph } from "./random-graphs.ts";
import { outputsOf } from "./same-outputs.ts";
import { signalToNoise } from "./signal-to-noise.ts";

const runtime = await openRuntime("ort-node");
const { avocet, ...everything } = targetFile("aimet-default");

/** What is tried, with the least ratio of signal to noise against float, in dB. */
const ways: readonly { readonly name: string; readonly recipe: RecipeInput; readonly least: number }[] = [
  { name: "ort-cpu, fast", recipe: { preset: "fast" }, least: 18 },
  { name: "ort-cpu per tensor, fast", recipe: { preset: "fast", granularity: "tensor" }, least: 15 },
  {
    name: "ort-cpu, descent",
    recipe: { methods: [{ method: "dead-channels" }, { method: "adaround", iterations: 0, rowsPerColumn: 5 }] },
    least: 18,
  },
  // 14.4 dB where the output hangs on a Softmax of equal scores alone: 1/3 lies between two steps of a short scale (23.5 dB on AIMET's).
  { name: "aimet-default, fast", recipe: { target: "aimet-default", preset: "fast" }, least: 14 },
  {
    name: "aimet-default with int32 biases, descent",
    recipe: {
      target: { ...everything, avocet: { ...avocet, bias: "int32" } },
      methods: [
        { method: "cle" },
        { method: "adaround", iterations: 0, rowsPerColumn: 5 },
        { method: "bias-correction" },
      ],
    },
    least: 15,
  },
  {
    name: "htp-v73 in blocks of 2, fast",
    recipe: { target: "htp-v73", preset: "fast", granularity: "block:2", activations: "uint16" },
    least: 25,
  },
  {
    name: "ort-cpu, data-free",
    recipe: { preset: "data-free", inputs: { x: { low: -4, high: 4, mean: 0, deviation: 1 } } },
    least: 8,
  },
];

/** What a target or data-free cannot do is said; anything else is a fault. */
const refusals = new Set(["quant/nothing-to-quantize", "quant/not-calibrated", "quant/unsupported-granularity"]);

const short = (text: string) => (text.length > 300 ? `${text.slice(0, 150)} … ${text.slice(-150)}` : text);

async function faults(seed: number, way: (typeof ways)[number]): Promise<string | null> {
  const { model, x } = randomGraph(seed);
  const recipe = parseRecipe(way.recipe);
  const name = model.graph.outputs[0]!.name;
  // A network that does not run in float is a fault of the generator.
  const float = (await outputsOf(model, { x }))[name]!;
  let shipped: typeof model;
  try {
    shipped = (await quantizeModel(cloneModel(model), fromTensors({ x }), recipe, runtime)).shipped;
  } catch (error) {
    if (AvocetError.is(error) && refusals.has(error.code)) return null;
    return short(`${error}`);
  }
  try {
    const [off, stock] = [
      await outputsOf(shipped, { x }),
      await outputsOf(shipped, { x }, { optimization: "full" }),
    ].map((o) => o[name]!);
    if (`${off!.shape}` !== `${float.shape}` || `${stock!.shape}` !== `${float.shape}`) return `shape ${stock!.shape}`;
    // What is zero everywhere has no signal.
    if (float.floats().every((v) => v === 0)) return null;
    const [a, b, c] = [float.floats(), off!.floats(), stock!.floats()];
    const [simulated, shippedRatio, between] = [signalToNoise(a, b), signalToNoise(a, c), signalToNoise(b, c)];
    const found = `simulation ${simulated.toFixed(1)}, stock ${shippedRatio.toFixed(1)}, between ${between.toFixed(1)} dB`;
    if (!(simulated > way.least && shippedRatio > way.least)) return found;
    // Where a kernel rounds once more a few numbers differ by a step: that is no more than all the rounding together.
    return between > Math.min(simulated, 25) - 5 ? null : found;
  } catch (error) {
    return short(`${error}`);
  }
}

const [from, count] = (process.env.AVOCET_RANDOM ?? "0,6").split(",").map(Number) as [number, number];
const only = process.env.AVOCET_RANDOM_WAY;

test.each(ways.filter(({ name }) => only === undefined || name === only).map((way, i) => ({ ...way, i })))(
  "$name",
  async ({ i, ...way }) => {
    const found: string[] = [];
    for (let k = 0; k < count; k++) {
      // Each way meets other networks; with many of them all.
      const seed = from + (count > 100 ? k : k * ways.length + i);
      const fault = await faults(seed, way);
      if (fault) found.push(`${seed}: ${fault}`);
    }
    expect(found).toEqual([]);
  },
  3_600_000,
);
