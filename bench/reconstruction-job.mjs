/**
 * One row of bench/reconstruction.mjs: `node reconstruction-job.mjs TASK SPEC THREADS` prints as JSON what nearest rounding, AdaRound on
 * moments and reconstruction behind it give. SPEC is { weights, options, simulated }; `simulated` judges without fused
 * kernels, where the stock session cannot load a grid.
 */
import { readFileSync } from "node:fs";
import { evaluate, meanIoU, topK } from "../dist/analysis/inner.js";
import { alignLabels } from "../dist/data/inner.js";
import { parsePreprocess } from "../dist/data/inner-files.js";
import { openData, openLabels } from "../dist/data/inner-node.js";
import { readModelFile } from "../dist/formats/inner-node.js";
import { applyAdaRound, applyReconstruction, removeDeadChannels } from "../dist/methods/inner.js";
import { normalise } from "../dist/passes/inner.js";
import { builtinTarget, calibrate, lower, parseGrid, place } from "../dist/quant/inner.js";
import { firstSample, openRuntime, traceShapes } from "../dist/runtime/inner.js";
import { tasks } from "./accuracy-tasks.mjs";

const [name, text, threads] = process.argv.slice(2);
const { weights, options, simulated } = JSON.parse(text);
const task = tasks().find((one) => one.name === name);
if (!task) throw new Error(`no task ${name}: ${tasks().map((one) => one.name)}`);
const given = readModelFile(task.model);
const inputs = given.graph.inputs.map(({ name, type }) => ({ name, dtype: type.dtype, shape: type.shape }));
const preprocess = parsePreprocess(JSON.parse(readFileSync(task.preprocess, "utf8")));
const runtime = await openRuntime();
const open = (where) => openData(where, { inputs, preprocess, cacheBytes: 2e9 });
const data = await open(task.data);
// Decoded before the clock starts: what is measured is quantization.
for await (const batch of data.batches(50)) void batch;
const target = builtinTarget("ort-cpu");
const context = { runtime, data, target, calibration: "sqnr", seed: 0, threads: Number(threads) };
await normalise(given, { runtime });
const { model } = await removeDeadChannels(given, context);
const shapes = await traceShapes(model, runtime, await firstSample(data));
const observed = async (of, plan) => (await calibrate(of, plan, runtime, data, { scheme: "sqnr", shapes })).plan;

const nearest = { model, plan: await observed(model, place(model, target, { shapes, weights: parseGrid(weights) })) };
const adaround = await measured(() => applyAdaRound(nearest.model, nearest.plan, context));
const whole = { ...options, reference: model };
const reconstruction = await measured(() => applyReconstruction(adaround.model, adaround.plan, context, whole));
const peakMB = Math.round(process.resourceUsage().maxRSS / 1024);
console.log(
  JSON.stringify({
    nearest: await score(nearest),
    adaround: await score(adaround),
    adaroundSeconds: adaround.seconds,
    adaroundCpuSeconds: adaround.cpuSeconds,
    reconstruction: await score(reconstruction),
    seconds: reconstruction.seconds,
    cpuSeconds: reconstruction.cpuSeconds,
    peakMB,
    notes: reconstruction.notes,
  }),
);

/** A method, then ranges that nothing has decided are observed again, as a recipe does. */
async function measured(method) {
  const start = performance.now();
  const cpu = process.cpuUsage();
  const result = await method();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const plan = await observed(result.model, result.plan);
  return { model: result.model, plan, seconds, cpuSeconds: (user + system) / 1e6, notes: result.report.notes };
}

async function score(state) {
  const judged = await open(task.judged);
  const labels = alignLabels(await openLabels(task.labels), judged);
  const metric = labels.kind === "masks" ? meanIoU({ ignore: 11 }) : topK(1);
  const session = await runtime.open(lower(state.model, state.plan).model, simulated ? { fuseQdq: false } : {});
  const { value } = await evaluate(session, judged, metric, { labels });
  await session[Symbol.asyncDispose]();
  return value;
}
