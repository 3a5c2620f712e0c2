/**
 * One row of bench/qat.mjs: `node qat-job.mjs TASK RECIPE LABELLED THREADS` prints scores of the float model, of quantization alone and after
 * training, with seconds and peak memory, as JSON.
 */
import { readFileSync } from "node:fs";
import { evaluate, meanIoU, topK } from "../dist/analysis/inner.js";
import { alignLabels } from "../dist/data/inner.js";
import { openData, openLabels } from "../dist/data/inner-node.js";
import { readModelFile } from "../dist/formats/inner-node.js";
import { reestimateFoldedBatchNorms } from "../dist/methods/inner.js";
import { lower } from "../dist/quant/inner.js";
import { parseRecipe, trainModel } from "../dist/recipe/inner.js";
import { openRuntime } from "../dist/runtime/inner.js";
import { tasks } from "./accuracy-tasks.mjs";

const [name, recipe, labelled, threads] = process.argv.slice(2);
const task = tasks().find((one) => one.name === name);
if (!task?.training) throw new Error(`no task with training data is called ${name}`);
const model = readModelFile(task.model);
const inputs = model.graph.inputs.map(({ name, type }) => ({ name, dtype: type.dtype, shape: type.shape }));
const preprocess = JSON.parse(readFileSync(task.preprocess, "utf8"));
const runtime = await openRuntime();
const open = (spec) => openData(spec, { inputs, preprocess, cacheBytes: 2e9 });
const judged = await open(task.judged);
const truth = alignLabels(await openLabels(task.labels), judged);

async function score(of) {
  const session = await runtime.open(of, { fuseQdq: false });
  const metric = truth.kind === "masks" ? meanIoU({ ignore: 11 }) : topK(1);
  const { value } = await evaluate(session, judged, metric, { labels: truth });
  await session[Symbol.asyncDispose]();
  return value;
}

const data = await open(task.training.data);
const labels = labelled === "true" ? await openLabels(task.training.labels) : undefined;
const start = performance.now();
const epochs = [];
const result = await trainModel(model, data, parseRecipe(JSON.parse(recipe)), runtime, {
  threads: Number(threads),
  ...(labels ? { labels } : {}),
  onEpoch: (_, loss) => void epochs.push(Number(loss.toPrecision(4))),
});
const seconds = (performance.now() - start) / 1000;
const peakMB = Math.round(process.resourceUsage().maxRSS / 1024);
/** The trained model with the statistics of its layers brought back to those of the float model. */
const again = await reestimateFoldedBatchNorms(
  result.decided,
  result.plan,
  { runtime, data },
  { reference: result.prepared },
);
/** How far learned scales of activations are from those of calibration: the median of the ratio's distance from one. */
const before = new Map(result.before.plan.entries.map((entry) => [entry.value, entry.encoding]));
const moved = result.plan.entries
  .filter(({ kind, encoding }) => kind === "activation" && encoding)
  .map(({ value, encoding }) => Math.abs(encoding.scale[0] / before.get(value).scale[0] - 1))
  .sort((a, b) => a - b);
console.log(
  JSON.stringify({
    float: await score(model),
    quantized: await score(result.before.shipped),
    trained: await score(result.shipped),
    reestimated: await score(lower(again.model, again.plan).model),
    seconds,
    trainingSeconds: result.steps.at(-1).seconds,
    peakMB,
    losses: epochs,
    rangesMoved: moved[Math.floor(moved.length / 2)],
  }),
);
