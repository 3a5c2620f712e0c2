/**
 * What ranges lose that are found on a sample of the numbers of large values: each range next to the one of all numbers, on every
 * network with classes. Run `npm run build`, then
 *
 *   node bench/observation.mjs [--only PATTERN] [--samples 200]
 *
 * Results: bench/results/observation.md.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { samples } from "../dist/data/inner.js";
import { parsePreprocess } from "../dist/data/inner-files.js";
import { openData } from "../dist/data/inner-node.js";
import { readModelFile } from "../dist/formats/inner-node.js";
import { normalise } from "../dist/passes/inner.js";
import { builtinTarget, place } from "../dist/quant/inner.js";
import { observe } from "../dist/quant/observe/observe.js";
import { outputGains } from "../dist/quant/observers/output-gain.js";
import { firstSample, openRuntime, traceShapes } from "../dist/runtime/inner.js";
import { root, tasks } from "./accuracy-tasks.mjs";

const { values: flags } = parseArgs({
  options: { only: { type: "string", default: "" }, samples: { type: "string", default: "200" } },
});
const runtime = await openRuntime();
const session = { threads: 1 };
const rows = [];
for (const task of tasks().filter(isWanted)) {
  const model = readModelFile(task.model);
  const inputs = model.graph.inputs.map(({ name, type }) => ({ name, dtype: type.dtype, shape: type.shape }));
  await normalise(model, { runtime });
  const preprocess = parsePreprocess(JSON.parse(readFileSync(task.preprocess, "utf8")));
  const data = samples(await openData(task.data, { inputs, preprocess, cacheBytes: 1e9 }), `first:${flags.samples}`);
  for await (const batch of data.batches(8)) void batch;
  const types = await traceShapes(model, runtime, await firstSample(data));
  const plan = place(model, builtinTarget("ort-cpu"), { shapes: types });
  const entries = plan.entries.filter(({ kind, tiedTo }) => kind === "activation" && tiedTo === undefined);
  const names = entries.map(({ value }) => value);
  const options = { scheme: "sqnr", gains: outputGains(types), session };
  const whole = await timed(() => observe(model, names, runtime, data, options));
  const thin = await timed(() => observe(model, names, runtime, data, { ...options, types }));
  const moved = entries.map(({ value, grid, symmetric }) => {
    const [a, b] = [whole, thin].map(({ found }) => found.get(value).propose({ ...grid, symmetric }));
    const ends = ({ scale, offset }) => [scale * offset, scale * (offset + 2 ** grid.bits - 1)];
    const [[low, high], [l, h]] = [ends(a), ends(b)];
    return Math.max(Math.abs(l - low), Math.abs(h - high)) / (high - low);
  });
  moved.sort((a, b) => a - b);
  const shares = [0.5, 0.9, 1].map((part) => percent(moved[Math.ceil(part * moved.length) - 1]));
  rows.push(`| ${[task.name, names.length, ...shares, whole.cpu.toFixed(2), thin.cpu.toFixed(2)].join(" | ")} |`);
  console.log(rows.at(-1));
}
const table = [
  "# Observation: ranges from samples of large values",
  "",
  `\`npm run build\`, then \`node bench/observation.mjs\`. ${flags.samples} images, target \`ort-cpu\`, one thread. Of each value the range that a sample of`,
  "its numbers proposes, next to the one that all of its numbers propose: the larger of the two ends' differences, as a share of the",
  "range. Slopes of the outputs, which decide where the network has gradients, are not in it. Processor seconds of the whole pass; images were",
  "decoded before.",
  "",
  "| network | values | moved, median | 90 % moved less than | most | all numbers, s | sampled, s |",
  "| --- | --- | --- | --- | --- | --- | --- |",
  ...rows,
  "",
];
writeFileSync(join(root, "bench/results/observation.md"), table.join("\n"));

/** The example's network is there after its data was rendered. */
function isWanted({ name, preprocess }) {
  return new RegExp(flags.only).test(name) && existsSync(preprocess);
}

function percent(share) {
  return `${(100 * share).toFixed(2)} %`;
}

async function timed(work) {
  const before = process.cpuUsage();
  const found = await work();
  const { user, system } = process.cpuUsage(before);
  return { found, cpu: (user + system) / 1e6 };
}
