/**
 * What re-estimated statistics of batch norms give on MobileNetV1-0.25: at four bits behind other methods, and after the statistics
 * of the float model were broken on purpose. Run `npm run build` first, then `node bench/batch-norms.mjs [--threads N]`. Rows go to
 * bench/results/batch-norms.json as they end and are not run again; the table is bench/results/batch-norms.md.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { evaluate, topK } from "../dist/analysis/inner.js";
import { Random } from "../dist/base/inner.js";
import { alignLabels } from "../dist/data/inner.js";
import { parsePreprocess } from "../dist/data/inner-files.js";
import { openData, openLabels } from "../dist/data/inner-node.js";
import { readModelFile } from "../dist/formats/inner-node.js";
import { cloneModel } from "../dist/ir/inner.js";
import { reestimateBatchNorms } from "../dist/methods/inner.js";
import { parseRecipe, quantizeModel } from "../dist/recipe/inner.js";
import { openRuntime } from "../dist/runtime/inner.js";
import { Tensor } from "../dist/tensor/inner.js";
import { tasks } from "./accuracy-tasks.mjs";

const { values: flags } = parseArgs({ options: { threads: { type: "string", default: "2" } } });
const session = { threads: Number(flags.threads) };
const task = tasks().find((one) => one.name === "MobileNetV1-0.25");
const model = readModelFile(task.model);
const inputs = model.graph.inputs.map(({ name, type }) => ({ name, dtype: type.dtype, shape: type.shape }));
const preprocess = parsePreprocess(JSON.parse(readFileSync(task.preprocess, "utf8")));
const open = (where) => openData(where, { inputs, preprocess, cacheBytes: 2e9 });
const runtime = await openRuntime();
const [data, judged] = [await open(task.data), await open(task.judged)];
const labels = alignLabels(await openLabels(task.labels), judged);

const results = join(dirname(fileURLToPath(import.meta.url)), "results");
const file = join(results, "batch-norms.json");
const recorded = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : { rows: {} };
const dead = { method: "dead-channels" };
const again = { method: "batch-norm-re-estimation" };
const wrong = broken();
const repaired = async (pass) => (await reestimateBatchNorms(wrong, { runtime, data }, { batch: 20, pass })).model;
await row("float", () => model);
await row("float, statistics broken on purpose", () => wrong);
await row("broken, re-estimated one after the other", () => repaired("sequential"));
await row("broken, re-estimated by batches (AIMET's way)", () => repaired("batches"));
for (const weights of ["int4", "int8"]) {
  for (const [name, steps] of [
    ["nearest", []],
    ["descent on moments", [{ method: "adaround", iterations: 0 }]],
  ]) {
    await row(`${weights}, ${name}`, () => quantized(weights, [dead, ...steps]));
    await row(`${weights}, ${name}, re-estimated`, () => quantized(weights, [dead, ...steps, again]));
  }
}
writePage();

async function quantized(weights, methods) {
  return (await quantizeModel(model, data, parseRecipe({ weights, methods }), runtime, session)).shipped;
}

/** Runs a row unless it was recorded; what was found is written at once. */
async function row(name, make) {
  if (recorded.rows[name] !== undefined) return;
  const opened = await runtime.open(await make(), session);
  const { value } = await evaluate(opened, judged, topK(1), { labels });
  await opened[Symbol.asyncDispose]();
  recorded.rows[name] = value;
  recorded.machine = `${cpus()[0].model}, ${flags.threads} threads, Node ${process.versions.node}`;
  console.log(name, value);
  mkdirSync(results, { recursive: true });
  writeFileSync(file, `${JSON.stringify(recorded, null, 1)}\n`);
  writePage();
}

function writePage() {
  const page = [
    "# Batch norms re-estimated",
    "",
    `Made by \`node bench/batch-norms.mjs\` on ${recorded.machine}. MobileNetV1-0.25, top-1 on 800 pictures in percent;`,
    "statistics from the 200 calibration pictures. Quantized: 8-bit activations, a weight scale per channel, target `ort-cpu`,",
    "batch norms folded.",
    "",
    "| model | top-1 |",
    "| --- | --- |",
    ...Object.entries(recorded.rows).map(([name, value]) => `| ${name} | ${(100 * value).toFixed(2)} |`),
    "",
  ];
  writeFileSync(join(results, "batch-norms.md"), page.join("\n"));
}

/** Means moved by half a deviation or so, variances by up to three times. */
function broken() {
  const random = new Random(1);
  const copy = cloneModel(model);
  for (const node of copy.graph.nodes) {
    if (node.op !== "BatchNormalization") continue;
    const [mean, variance] = [3, 4].map((index) => node.input(index));
    const deviations = variance.initializer.floats().map(Math.sqrt);
    const moved = mean.initializer.floats().map((m, c) => m + deviations[c] * random.normal(0, 0.5));
    const other = variance.initializer.floats().map((v) => v * random.uniform(0.33, 3));
    mean.initializer = Tensor.float32(mean.initializer.shape, moved);
    variance.initializer = Tensor.float32(variance.initializer.shape, other);
  }
  return copy;
}
