/** One row of bench/ptq.mjs: `node ptq-job.mjs TASK RECIPE THREADS` prints { score, seconds, peakMB } as JSON. */
import { readFileSync } from "node:fs";
import { evaluate, meanIoU, topK } from "../dist/analysis/index.js";
import { alignLabels } from "../dist/data/index.js";
import { openData, openLabels } from "../dist/data/node/index.js";
import { readModelFile } from "../dist/formats/index-node.js";
import { parseRecipe, quantizeModel } from "../dist/recipe/index.js";
import { openRuntime } from "../dist/runtime/index.js";
import { tasks } from "./accuracy-tasks.mjs";

const [name, recipe, threads] = process.argv.slice(2);
const task = tasks().find((one) => one.name === name);
if (!task) throw new Error(`no task ${name}: ${tasks().map((one) => one.name)}`);
const model = readModelFile(task.model);
const inputs = model.graph.inputs.map(({ name, type }) => ({ name, dtype: type.dtype, shape: type.shape }));
const preprocess = JSON.parse(readFileSync(task.preprocess, "utf8"));
const runtime = await openRuntime();
const open = (spec) => openData(spec, { inputs, preprocess, cacheBytes: 2e9 });
const data = await open(task.data);
// The data is decoded once before the clock starts: what is measured is quantization.
for await (const batch of data.batches(50)) void batch;
const start = performance.now();
const result = await quantizeModel(model, data, parseRecipe(JSON.parse(recipe)), runtime, { threads: Number(threads) });
const seconds = (performance.now() - start) / 1000;
const peakMB = Math.round(process.resourceUsage().maxRSS / 1024);
const judged = await open(task.judged);
const labels = alignLabels(await openLabels(task.labels), judged);
const metric = labels.kind === "masks" ? meanIoU(labels, { ignore: 11 }) : topK(labels, 1);
const session = await runtime.open(result.shipped);
const { value } = await evaluate(session, judged, metric);
await session[Symbol.asyncDispose]();
console.log(
  JSON.stringify({
    score: value,
    seconds,
    peakMB,
    notes: result.steps.filter((s) => /kept|undone/.test(s.notes[0] ?? "")).map((s) => `${s.step} ${s.notes[0]}`),
  }),
);
