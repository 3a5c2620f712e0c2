/**
 * Four-bit files in the hands of others: ResNet-20 with weights and activations of 4 bits, quantized and trained, as files that stock
 * sessions of ort-node and ort-web open, next to the simulation that the library measures. Run `npm run build` first, then
 *
 *   node bench/narrow-grids.mjs [--grids int4,uint4] [--epochs 12] [--training 5000] [--judged 5000] [--threads 2]
 *
 * Rows are printed, and gathered in bench/results/narrow-grids.md with the command that made them.
 */
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { evaluate, topK } from "../dist/analysis/inner.js";
import { alignLabels, samples } from "../dist/data/inner.js";
import { openData, openLabels } from "../dist/data/inner-node.js";
import { readModelFile, writeModelFile } from "../dist/formats/inner-node.js";
import { parseRecipe, quantizeModel, trainModel } from "../dist/recipe/inner.js";
import { openRuntime } from "../dist/runtime/inner.js";
import { root, tasks } from "./accuracy-tasks.mjs";

const { values: flags } = parseArgs({
  options: {
    grids: { type: "string", default: "int4,uint4" },
    epochs: { type: "string", default: "12" },
    training: { type: "string", default: "5000" },
    judged: { type: "string", default: "5000" },
    threads: { type: "string", default: "2" },
  },
});
const [weights, activations] = flags.grids.split(",");
const task = tasks().find(({ name }) => name === "ResNet-20");
const model = readModelFile(task.model);
const inputs = model.graph.inputs.map(({ name, type }) => ({ name, dtype: type.dtype, shape: type.shape }));
const preprocess = JSON.parse(readFileSync(task.preprocess, "utf8"));
const open = async (spec, count) =>
  samples(await openData(spec, { inputs, preprocess, cacheBytes: 2e9 }), Number(count));
const node = await openRuntime("ort-node");
const web = await openRuntime("ort-web");
const judged = await open(task.judged, flags.judged);
const truth = alignLabels(await openLabels(task.labels), judged);
const training = await open(task.training.data, flags.training);
const labels = await openLabels(task.training.labels);

async function score(runtime, of, options = {}) {
  const session = await runtime.open(of, { threads: Number(flags.threads), ...options });
  try {
    return (100 * (await evaluate(session, judged, topK(1), { labels: truth })).value).toFixed(2);
  } finally {
    await session[Symbol.asyncDispose]();
  }
}

const folder = mkdtempSync(join(tmpdir(), "avocet-bench-"));
const table = join(root, "bench", "results", "narrow-grids.md");
const head = `# Grids of fewer than 8 bits, as files in stock sessions

Top-1 in percent on CIFAR-10 as JPEG, on so many test pictures as \`--judged\` says (1,000 have a standard error of one point). "simulated": the file with optimisation off, as \`evaluate --simulated\` opens it.

| what | float | simulated | ort-node | ort-web | command |
| --- | --: | --: | --: | --: | --- |
`;
if (!existsSync(table)) writeFileSync(table, head);

async function row(name, shipped) {
  const path = join(folder, `${name}.onnx`);
  await writeModelFile(shipped, path);
  const command = `node bench/narrow-grids.mjs ${process.argv.slice(2).join(" ")}`.trim();
  const scores = [
    await score(node, task.model),
    await score(node, path, { optimization: "off" }),
    await score(node, path),
    await score(web, path, { threads: 1 }),
  ];
  const line = `| ResNet-20 ${weights}, ${activations}, ${name} | ${scores.join(" | ")} | \`${command}\` |\n`;
  process.stdout.write(line);
  appendFileSync(table, line);
}

try {
  const grids = { weights, activations, samples: "first:200" };
  const work = { threads: Number(flags.threads) };
  const quantized = await quantizeModel(model, training, parseRecipe(grids), node, work);
  await row("quantize", quantized.shipped);
  const recipe = parseRecipe({
    ...grids,
    training: { epochs: Number(flags.epochs), learningRate: 5e-4, flip: true, temperature: 4 },
  });
  const trained = await trainModel(model, training, recipe, node, { ...work, labels });
  await row("train", trained.shipped);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
