/**
 * One row of bench/ptq.mjs: `node ptq-job.mjs TASK SPEC THREADS` prints what it measured as JSON. SPEC is
 * { recipe, samples?, steps? } with the recipe next to the defaults; or { dataFree: { steps, … } } for a row without data.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compareValues, evaluate, latencies, meanIoU, topK } from "../dist/analysis/inner.js";
import { alignLabels } from "../dist/data/inner.js";
import { parsePreprocess } from "../dist/data/inner-files.js";
import { openData, openLabels } from "../dist/data/inner-node.js";
import { readModelFile } from "../dist/formats/inner-node.js";
import { cloneModel } from "../dist/ir/inner.js";
import { normalise } from "../dist/passes/inner.js";
import { counterparts, kernelReport } from "../dist/quant/inner.js";
import { parseRecipe, quantizeModel } from "../dist/recipe/inner.js";
import { firstSample, openRuntime } from "../dist/runtime/inner.js";
import { quantizeWithoutData } from "./ptq-data-free.mjs";
import { tasks } from "./ptq-tasks.mjs";

const [name, text, threads] = process.argv.slice(2);
const spec = JSON.parse(text);
const task = tasks().find((one) => one.name === name);
if (!task) throw new Error(`no task ${name}: ${tasks().map((one) => one.name)}`);
const model = readModelFile(task.model);
const inputs = model.graph.inputs.map(({ name, type }) => ({ name, dtype: type.dtype, shape: type.shape }));
const preprocess = parsePreprocess(JSON.parse(readFileSync(task.preprocess, "utf8")));
const session = { threads: Number(threads) };
const runtime = await openRuntime();
const open = (where) => openData(where, { inputs, preprocess, cacheBytes: 2e9 });
const data = await open(spec.data ?? task.data);

// The data is decoded before the clock starts: what is measured is quantization. A pass over it is the unit of time.
for await (const batch of data.batches(50)) void batch;
const pass = await forwardPass(model);
const before = process.resourceUsage().maxRSS;
const cpu = process.cpuUsage();
const start = performance.now();
const result = spec.dataFree
  ? await withoutData(spec.dataFree)
  : await quantizeModel(model, data, parseRecipe(spec.recipe), runtime, session);
const seconds = (performance.now() - start) / 1000;
const { user, system } = process.cpuUsage(cpu);
const peak = process.resourceUsage().maxRSS;

const judged = await open(task.judged);
const value = await score(result.shipped, judged);
// What was made without data is judged fairly on all samples, those that calibrate others too.
const everything = spec.dataFree && task.everything ? await open(task.everything) : undefined;
const all = everything && { all: await score(result.shipped, everything), floatAll: await score(model, everything) };
const float = cloneModel(model);
await normalise(float, { runtime });
const outputs = counterparts([model.graph.outputs[0].name], result.lowered);
const [{ sqnr }] = await compareValues(float, result.shipped, outputs, runtime, judged, session);
const moments = result.steps.reduce((sum, step) => sum + (step.parts?.moments ?? 0), 0);
console.log(
  JSON.stringify({
    score: value,
    ...all,
    sqnr,
    seconds,
    cpuSeconds: (user + system) / 1e6,
    ...(moments > 0 ? { momentSeconds: moments } : {}),
    passCpuSeconds: pass,
    peakMB: Math.round(peak / 1024),
    baseMB: Math.round(before / 1024),
    ...(await speed()),
    notes: result.steps.filter((s) => /kept|undone/.test(s.notes[0] ?? "")).map((s) => `${s.step} ${s.notes[0]}`),
  }),
);

/** Step by step, or all of it as the library does it. */
async function withoutData({ steps, granularity }) {
  if (steps) return await quantizeWithoutData(model, runtime, { preprocess, granularity, steps });
  return await quantizeModel(
    model,
    null,
    parseRecipe({ preset: "data-free", preprocess, granularity }),
    runtime,
    session,
  );
}

async function score(shipped, samples) {
  const labels = alignLabels(await openLabels(task.labels), samples);
  const metric = labels.kind === "masks" ? meanIoU({ ignore: 11 }) : topK(1);
  const stock = await runtime.open(shipped, session);
  const { value } = await evaluate(stock, samples, metric, { labels });
  await stock[Symbol.asyncDispose]();
  return value;
}

/** Processor seconds of one pass of the float model over the calibration data, in batches as calibration makes them. */
async function forwardPass(float) {
  const opened = await runtime.open(float, session);
  let seconds = 0;
  for (const counted of [false, true]) {
    for await (const { feeds } of data.batches(task.batch)) {
      const from = process.cpuUsage();
      await opened.run(feeds);
      const { user, system } = process.cpuUsage(from);
      if (counted) seconds += (user + system) / 1e6;
    }
  }
  await opened[Symbol.asyncDispose]();
  return seconds;
}

/** Milliseconds of one sample in the stock session, the float model next to it; integer kernels of all products. */
async function speed() {
  const folder = mkdtempSync(join(tmpdir(), "avocet-ptq-"));
  try {
    const optimizedModelPath = join(folder, "optimized.onnx");
    const float = await runtime.open(model, session);
    const shipped = await runtime.open(result.shipped, { ...session, optimizedModelPath });
    const feeds = await firstSample(data);
    const [floatMs, ms] = await latencies([float, shipped], feeds, { runs: 60 });
    const found = kernelReport(result.lowered, readModelFile(optimizedModelPath), result.plan);
    await float[Symbol.asyncDispose]();
    await shipped[Symbol.asyncDispose]();
    return { floatMs, ms, integerKernels: found.filter((one) => one.integer).length, products: found.length };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
