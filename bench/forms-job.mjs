/**
 * One cell of bench/forms.mjs: `node forms-job.mjs TASK RECIPE OPTIONS` prints what it measured as JSON. RECIPE is JSON, "null" for the float files.
 * The machine's other work moves wall time, so that seconds are the processor's; latencies are the fastest of interleaved runs.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { compareValues } from "../dist/analysis/inner.js";
import { readModelFile, writeModelFile } from "../dist/formats/inner-node.js";
import { counterparts } from "../dist/quant/inner.js";
import { comparedValues, parseRecipe, quantizeModel } from "../dist/recipe/inner.js";
import { firstSample, openRuntime } from "../dist/runtime/inner.js";
import { tasks } from "./forms-tasks.mjs";

// WebAssembly is compiled well at once: how soon V8 would come to it depends on what else the machine does.
setFlagsFromString("--no-liftoff");

const [name, text, given] = process.argv.slice(2);
const recipe = JSON.parse(text);
const task = tasks(JSON.parse(given)).find((one) => one.name === name);
if (!task) throw new Error(`no task ${name}`);
const runtime = await openRuntime("ort-node", { threads: 1 });
const one = { threads: 1 };
const models = task.files.map((file) => readModelFile(file));
const data = await task.data(runtime, models);
// What is read from disk is decoded before the clock starts.
for (const part of data) for await (const batch of part.batches(16)) void batch;

const folder = mkdtempSync(join(tmpdir(), "avocet-forms-"));
try {
  console.log(JSON.stringify(await cell()));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function cell() {
  const before = process.cpuUsage();
  const made = [];
  if (recipe)
    for (const [i, model] of models.entries())
      made.push(await quantizeModel(model, data[i], parseRecipe(recipe), runtime, one));
  const { user, system } = process.cpuUsage(before);
  const peakMB = Math.round(process.resourceUsage().maxRSS / 1024);
  const files = recipe ? made.map((_, i) => join(folder, `${i}.onnx`)) : task.files;
  for (const [i, { shipped }] of made.entries()) await writeModelFile(shipped, files[i]);
  const float = await openAll(runtime, task.files);
  const sessions = await openAll(runtime, files);
  const score = await task.score(sessions, undefined, float);
  const web = await onWeb(files, sessions, float);
  return {
    score,
    bytes: files.reduce((sum, file) => sum + statSync(file).size, 0),
    ...(recipe ? { cpuSeconds: (user + system) / 1e6, peakMB } : {}),
    ms: await race(float, sessions),
    ...web,
    ...(recipe && made.length === 1 ? { blamed: await blamed(made[0], data[0]) } : {}),
  };
}

function openAll(where, files) {
  return Promise.all(files.map((file) => where.open(file, one)));
}

/** The same on WebAssembly: latencies, and both scores on a few samples. What it refuses to open is said. */
async function onWeb(files, sessions, float) {
  try {
    const web = await openRuntime("ort-web", one);
    const opened = await openAll(web, files);
    const part = { node: await task.score(sessions, 20, float), web: await task.score(opened, 20, float) };
    return { part, webMs: await race(await openAll(web, task.files), opened) };
  } catch (error) {
    return { webRefuses: error.message.slice(0, 200) };
  }
}

/** Milliseconds of one sample through all files, float and this one in turn, the fastest of the rounds. */
async function race(float, sessions) {
  const feeds = await Promise.all(data.map((part) => firstSample(part)));
  const best = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  const end = performance.now() + 1500;
  for (let round = 0; round < 100 && (round < 4 || performance.now() < end); round++) {
    for (const [k, some] of [float, sessions].entries()) {
      const start = performance.now();
      for (const [i, session] of some.entries()) await session.run(feeds[i]);
      if (round > 0) best[k] = Math.min(best[k], performance.now() - start);
    }
  }
  return best;
}

/** The layers behind which the signal has most noise more than in front of them, on eight samples. */
async function blamed(quantized, calibration) {
  const names = comparedValues(quantized);
  const pairs = counterparts(names, quantized.lowered);
  const found = await compareValues(quantized.prepared, quantized.shipped, pairs, runtime, calibration, { ...one, samples: 8 }); // biome-ignore format: a call
  const noise = new Map(found.map(({ name, sqnr }) => [name, 10 ** (-sqnr / 10)]));
  const values = quantized.prepared.graph.valuesByName();
  return found
    .map(({ name, sqnr }) => {
      const producer = values.get(name)?.producer;
      return { value: name, layer: producer?.name || name, sqnr, added: noise.get(name) - upstream(producer, noise) };
    })
    .sort((a, b) => b.added - a.added)
    .slice(0, 3);
}

/** The noise of the noisiest compared value in front of a node. */
function upstream(producer, noise) {
  let most = 0;
  const waiting = [...(producer?.inputs ?? [])];
  const seen = new Set();
  while (waiting.length > 0) {
    const value = waiting.pop();
    if (!value || value.initializer || seen.has(value)) continue;
    seen.add(value);
    if (noise.has(value.name)) most = Math.max(most, noise.get(value.name));
    else waiting.push(...(value.producer?.inputs ?? []));
  }
  return most;
}
