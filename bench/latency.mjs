/**
 * Latency of every network, float, W8A8, W4A8 and weight-only, on ort-node and on WebAssembly in Node, one thread, the candidates taking
 * turns in one process; and of what is slower than float, which kernels lose. Run `npm run build` first, then
 *
 *   node bench/latency.mjs [NAME …] [--seconds 4] [--rounds 200]
 *
 * Figures are the fastest of the rounds, in milliseconds for one sample. Rows are kept by network in bench/results/latency.json, and
 * bench/results/latency.md is printed from it; on a busy machine only networks of less than ten milliseconds give figures that mean anything.
 * The default target and preset "fast" on at most 20 samples: kernels do not depend on more.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { fromIterable, openRuntime, parseRecipe, quantizeModel, Tensor, writeModel } from "avocet";
import { kernelLosses } from "../dist/analysis/inner.js";
import { Random } from "../dist/base/inner.js";
import { profilerOf } from "../dist/cli/kernel-times.js";
import { openData } from "../dist/data/inner-node.js";
import { readModelFile } from "../dist/formats/inner-node.js";
import { feedsFor, firstSample } from "../dist/runtime/inner.js";
import { root } from "./accuracy-tasks.mjs";
import { tasks } from "./latency-tasks.mjs";
import { wasmProfile } from "./wasm-profile.mjs";

// WebAssembly is compiled well at once: how soon V8 would come to it depends on what else the machine does.
setFlagsFromString("--no-liftoff");

const { values: flags, positionals: names } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: "string", default: "4" }, rounds: { type: "string", default: "200" } },
});

const forms = {
  float: null,
  W8A8: {},
  W4A8: { weights: "int4" },
  "W8, weight-only": { activations: "float32" },
};

const runtimes = [await openRuntime("ort-node", { threads: 1 }), await openRuntime("ort-web", { threads: 1 })];

/** Normal floats of deviation one, and integers below `most`, for what no data is here. */
function noise(model, { lengths = {}, most = 4 }) {
  const inputs = model.graph.inputs.filter(({ initializer }) => !initializer);
  const one = (random) =>
    Object.fromEntries(
      inputs.map(({ name, type: { dtype, shape } }) => {
        const dims = shape.map((length) => (typeof length === "number" ? length : (lengths[length] ?? 1)));
        const size = dims.reduce((product, length) => product * length, 1);
        const numbers = Array.from({ length: size }, () =>
          dtype === "int64" ? random.integer(most) : random.normal(),
        );
        return [name, dtype === "int64" ? Tensor.int64(dims, numbers) : Tensor.float32(dims, numbers)];
      }),
    );
  return fromIterable(
    function* () {
      for (let seed = 0; seed < 8; seed++) yield one(new Random(seed));
    },
    { count: 8, source: "noise" },
  );
}

async function dataOf(task, model) {
  if (!task.data) return noise(model, task);
  const inputs = model.graph.inputs.map(({ name, type }) => ({ name, dtype: type.dtype, shape: type.shape }));
  return openData(task.data, { inputs, preprocess: JSON.parse(readFileSync(task.preprocess, "utf8")) });
}

const bytesOf = (file) => (typeof file === "string" ? new Uint8Array(readFileSync(file)) : file);

/** The fastest run of each session, in turn. */
async function race(sessions, feeds) {
  const best = sessions.map(() => Number.POSITIVE_INFINITY);
  for (const session of sessions) await session.run(feeds);
  const end = performance.now() + 1000 * Number(flags.seconds);
  for (let round = 0; round < Number(flags.rounds) && (round < 5 || performance.now() < end); round++) {
    for (const [i, session] of sessions.entries()) {
      const start = performance.now();
      await session.run(feeds);
      best[i] = Math.min(best[i], performance.now() - start);
    }
  }
  return best;
}

async function measure(task) {
  const files = {};
  const model = readModelFile(task.model);
  const data = await dataOf(task, model);
  for (const [form, recipe] of Object.entries(forms)) {
    try {
      files[form] = recipe
        ? writeModel(
            (
              await quantizeModel(
                readModelFile(task.model),
                data,
                parseRecipe({ preset: "fast", samples: 20, ...recipe }),
                runtimes[0],
              )
            ).shipped,
          )
        : task.model;
    } catch (error) {
      files[form] = error;
    }
  }
  const feeds = feedsFor(model, await firstSample(data));
  const row = {};
  for (const runtime of runtimes) {
    const opened = [];
    for (const [form, file] of Object.entries(files)) {
      if (!(file instanceof Error)) opened.push([form, await runtime.open(file)]);
      else console.log(`${task.name}, ${form}: ${file.message}`);
    }
    const times = await race(
      opened.map(([, session]) => session),
      feeds,
    );
    for (const [, session] of opened) await session[Symbol.asyncDispose]();
    row[runtime.name] = Object.fromEntries(opened.map(([form], i) => [form, { ms: times[i] }]));
    const profile = profilerOf(runtime) ?? ((file) => wasmProfile(bytesOf(file), feeds));
    const float = await profile(task.model, feeds, {});
    for (const [form] of opened) {
      const found = row[runtime.name][form];
      if (found.ms > 1.05 * times[0])
        found.losses = kernelLosses(float, await profile(files[form], feeds, {})).slice(0, 2);
    }
  }
  return row;
}

const results = join(root, "bench", "results", "latency.json");
const read = () => {
  try {
    return JSON.parse(readFileSync(results, "utf8"));
  } catch {
    return { rows: {} };
  }
};
for (const task of tasks()) {
  if (names.length > 0 && !names.includes(task.name)) continue;
  const row = await measure(task);
  row.load = Math.round(loadavg()[0]);
  const all = read();
  all.machine = `${cpus()[0].model}, one thread, Node ${process.versions.node}, ONNX Runtime ${runtimes[0].version}`;
  all.rows[task.name] = row;
  writeFileSync(results, `${JSON.stringify(all, null, 2)}\n`);
  writeFileSync(join(root, "bench", "results", "latency.md"), table(all));
  for (const [runtime, times] of runtimesOf(row)) {
    const told = Object.entries(times).map(
      ([form, { ms }]) => `${form} ${ms.toFixed(3)} (${(ms / times.float.ms).toFixed(2)})`,
    );
    console.log(`${task.name}, ${runtime}: ${told.join(", ")}`);
  }
}

/** The two runtimes of a row; next to them stands how many programs wanted the machine. */
function runtimesOf({ load: _, ...row }) {
  return Object.entries(row);
}

/** What is slower than float is told with the kernels that lose. */
function table({ machine, rows }) {
  const columns = Object.keys(forms).slice(1);
  const head = `# Latency of every network

\`node bench/latency.mjs\`: milliseconds of one sample, the fastest of the rounds, float and the others in turn, and how many times as long as float it takes. Load: how\nmany programs wanted this machine of two cores; a busy one slows rows of more than ten milliseconds most.

Machine: ${machine}.

| network | runtime | load | float | ${columns.join(" | ")} |
| --- | --- | --: | --: |${" --: |".repeat(columns.length)}
`;
  const lines = [];
  const slower = [];
  for (const [name, row] of Object.entries(rows)) {
    for (const [runtime, times] of runtimesOf(row)) {
      const { ms } = times.float;
      const cells = columns.map((form) => {
        const found = times[form];
        if (!found) return "–";
        if (found.losses?.length) {
          const told = found.losses.map(
            ({ kernel, float, quantized }) => `${kernel} ${float.toFixed(2)} → ${quantized.toFixed(2)} ms`,
          );
          slower.push(`- ${name}, ${form}, ${runtime}: ${told.join(", ")}`);
        }
        return `${found.ms.toFixed(2)} (${(found.ms / ms).toFixed(2)})`;
      });
      lines.push(`| ${name} | ${runtime} | ${row.load ?? "–"} | ${ms.toFixed(2)} | ${cells.join(" | ")} |`);
    }
  }
  return `${head}${lines.join("\n")}\n\n## Where those that are slower lose\n\n${slower.join("\n")}\n`;
}
