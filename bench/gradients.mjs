/**
 * Gradients and training steps, raced against PyTorch. Run `npm run build` first, then
 *
 *   PEERS_PYTHON=/path/to/python node bench/gradients.mjs [--only PATTERN] [--threads N] [--sessions N]
 *
 * Without PEERS_PYTHON (a Python that has PyTorch) our rows run alone. The candidates of a row take turns in one run, three
 * steps each; every session (ours, and PyTorch's process) is opened again several times, because some run slower for their whole
 * life. A figure is the median over sessions of the median over steps: milliseconds of wall time, and of processor time of all
 * threads; and the least processor time of any step, which neighbours on the machine disturb least. Rows go to bench/results/gradients.json as they end, the tables are bench/results/gradients.md.
 */
import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Random } from "../dist/base/inner.js";
import { extract } from "../dist/ir/inner.js";
import { openRuntime } from "../dist/runtime/inner.js";
import { sizeOf, Tensor } from "../dist/tensor/inner.js";
import { crossEntropy, trainingGraph } from "../dist/train/inner.js";
import { nets } from "./gradient-nets.mjs";

const { values: flags } = parseArgs({
  options: {
    only: { type: "string" },
    threads: { type: "string", default: "2" },
    sessions: { type: "string", default: "3" },
    rounds: { type: "string", default: "4" },
  },
});
const here = dirname(fileURLToPath(import.meta.url));
const file = join(here, "results", "gradients.json");
const recorded = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : { rows: {} };
const threads = Number(flags.threads);
const runtime = await openRuntime("ort-node", { threads });

/** Name → network, quantized or not, what is timed, and what was promised. */
const jobs = {
  "QAT step | ResNet-20, 64×3×32×32": { net: "resnet20", qat: true, parts: ["step"] },
  "QAT step | MobileNetV1-0.25, 32×3×96×96": { net: "mobilenet", qat: true, parts: ["step"] },
  "float step | ResNet-20, 64×3×32×32": { net: "resnet20", qat: false, parts: ["step"] },
  "float step | MobileNetV1-0.25, 32×3×96×96": { net: "mobilenet", qat: false, parts: ["step"] },
  "gradients | ResNet-20, 64×3×32×32": { net: "resnet20", qat: false, parts: ["forward", "gradients"], goal: 2.5 },
  "gradients | MobileNet block, 32×64×24×24": {
    net: "separable",
    qat: false,
    parts: ["forward", "gradients"],
    goal: 3.5,
  },
  "gradients | transformer block, 8×128×256": {
    net: "transformer",
    qat: false,
    parts: ["forward", "gradients"],
    goal: 2.5,
  },
  "gradients | LSTM, 32×32×64, 128 units": { net: "lstm", qat: false, parts: ["forward", "gradients"], goal: 4 },
};

/** Our graphs of a job: part and kernels → model and feeds. */
async function graphsOf({ net: name, qat, parts }) {
  const net = nets[name](qat);
  const random = new Random(3);
  const shape = net.model.graph.inputs[0].type.shape;
  const x = Tensor.float32(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => random.normal()),
  );
  const batch = name === "lstm" ? shape[1] : shape[0];
  const labels = Tensor.int64(
    [batch],
    Array.from({ length: batch }, (_, i) => i % 10),
  );
  const made = {};
  for (const kernels of ["standard", "fast"]) {
    const { model, buffers } = await trainingGraph(
      {
        model: net.model,
        example: { x, labels },
        groups: [{ names: net.trained }],
        states: net.states,
        loss: crossEntropy(),
        optimizer: { kind: "sgd", momentum: 0.9 },
        kernels,
      },
      runtime,
    );
    const feeds = { x, labels, "train.learning_rate": Tensor.scalar(1e-4), "train.step": Tensor.scalar(0, "int64") };
    for (const { input, initial } of buffers.values()) feeds[input] = Tensor.float32([initial.length], initial);
    const outputs = {
      step: model.graph.outputs.map((value) => value.name),
      gradients: ["train.loss", buffers.get("velocity").output],
      forward: ["train.loss"],
    };
    for (const part of parts)
      made[`${kernels} ${part}`] = {
        model: part === "step" ? model : extract(model, outputs[part], inputsFor(model, outputs[part])),
        feeds,
      };
  }
  return made;
}

/** Inputs that these outputs depend on. */
function inputsFor(model, outputs) {
  const needed = new Set();
  const queue = model.graph.outputs.filter((value) => outputs.includes(value.name));
  for (const value of queue) {
    if (needed.has(value)) continue;
    needed.add(value);
    queue.push(...(value.producer?.inputs.filter((input) => input !== null) ?? []));
  }
  return model.graph.inputs.filter((value) => needed.has(value)).map((value) => value.name);
}

async function openOurs({ model, feeds }) {
  const session = await runtime.open(model, { fuseQdq: false, threads });
  const given = Object.fromEntries(session.inputs.map(({ name }) => [name, feeds[name]]));
  return {
    async steps(count) {
      const times = [];
      for (let i = 0; i < count; i++) {
        const [wall, used] = [performance.now(), process.cpuUsage()];
        await session.run(given);
        const { user, system } = process.cpuUsage(used);
        times.push([performance.now() - wall, (user + system) / 1000]);
      }
      return times;
    },
    close: () => session[Symbol.asyncDispose](),
  };
}

function openTorch(python, job) {
  const child = spawn(python, [join(here, "gradients-torch.py")], {
    env: { ...process.env, THREADS: flags.threads },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async steps(count, part) {
      child.stdin.write(`${JSON.stringify({ net: job.net, qat: job.qat, part, steps: count })}\n`);
      return JSON.parse((await lines.next()).value);
    },
    close: () => child.stdin.end(),
  };
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

async function race(job) {
  const graphs = await graphsOf(job);
  const python = process.env.PEERS_PYTHON;
  const medians = {};
  for (let session = 0; session < Number(flags.sessions); session++) {
    const candidates = {};
    for (const [name, graph] of Object.entries(graphs)) candidates[name] = await openOurs(graph);
    const torch = python ? openTorch(python, job) : null;
    if (torch)
      for (const part of job.parts) candidates[`PyTorch ${part}`] = { steps: (count) => torch.steps(count, part) };
    const times = {};
    for (let round = -1; round < Number(flags.rounds); round++) {
      for (const [name, candidate] of Object.entries(candidates)) {
        const found = await candidate.steps(3);
        // The first round warms up.
        if (round >= 0) times[name] = [...(times[name] ?? []), ...found];
      }
    }
    for (const [name, found] of Object.entries(times)) {
      const [wall, used] = [0, 1].map((i) => median(found.map((time) => time[i])));
      medians[name] = [...(medians[name] ?? []), [wall, used, Math.min(...found.map((time) => time[1]))]];
    }
    for (const candidate of Object.values(candidates)) await candidate.close?.();
    torch?.close();
  }
  const row = {};
  for (const [name, found] of Object.entries(medians)) {
    const [wall, processor] = [0, 1].map((i) => Number(median(found.map((time) => time[i])).toFixed(2)));
    row[name] = { wall, processor, least: Number(Math.min(...found.map((time) => time[2])).toFixed(2)) };
  }
  return row;
}

const tableName = (threads) => `${threads} ${threads === 1 ? "thread" : "threads"}`;

for (const [name, job] of Object.entries(jobs)) {
  if (flags.only && !new RegExp(flags.only).test(name)) continue;
  const row = await race(job);
  recorded.rows[`${tableName(threads)} | ${name}`] = row;
  recorded.effort = `${flags.sessions} sessions of ${3 * Number(flags.rounds)} steps`;
  recorded.machine = `${cpus()[0].model}, Node ${process.versions.node}, ONNX Runtime ${runtime.version}`;
  writeFileSync(file, `${JSON.stringify(recorded, null, 1)}\n`);
  console.log(name, JSON.stringify(row));
}

const ratio = (a, b) => (a === undefined || b === undefined ? "" : (a / b).toFixed(2));

/** The tables for one way of measuring. */
function tables(count, unit) {
  const rows = Object.entries(recorded.rows).filter(([name]) => name.startsWith(`${tableName(count)} | `));
  if (rows.length === 0) return [];
  const part = (row, name) => row[name]?.[unit];
  const steps = rows.filter(([, row]) => row["fast step"]);
  const gradients = rows.filter(([, row]) => row["fast gradients"]);
  const label = (name) => name.split(" | ").slice(1).join(" | ");
  const what = { wall: "wall time", processor: "processor time", least: "least processor time of a step" }[unit];
  const backward = (row, who) => part(row, `${who} gradients`) - part(row, `${who} forward`);
  return [
    `## ${tableName(count)}, ${what}`,
    "",
    "| step | network | standard ms | blocked ms | PyTorch ms | standard ÷ PyTorch | blocked ÷ PyTorch |",
    "| --- | --- | --- | --- | --- | --- | --- |",
    ...steps.map(([name, row]) => {
      const [standard, fast, torch] = ["standard step", "fast step", "PyTorch step"].map((one) => part(row, one));
      return `| ${label(name)} | ${standard} | ${fast} | ${torch ?? ""} | ${ratio(standard, torch)} | ${ratio(fast, torch)} |`;
    }),
    "",
    "| network | forward ms | backward ms | backward ÷ forward | goal | standard: forward, backward ms | ÷ | PyTorch: forward, backward ms | ÷ |",
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ...gradients.map(([name, row]) => {
      const cells = ["fast", "standard", "PyTorch"].map((who) => {
        const [forward, back] = [part(row, `${who} forward`), backward(row, who)];
        return forward === undefined ? ["", "", ""] : [forward, back.toFixed(2), ratio(back, forward)];
      });
      const goal = jobs[label(name)]?.goal ?? "";
      const [fast, standard, torch] = cells;
      return `| ${name.split(" | ").at(-1)} | ${fast[0]} | ${fast[1]} | ${fast[2]} | ${goal} | ${standard[0]}, ${standard[1]} | ${standard[2]} | ${torch[0]}, ${torch[1]} | ${torch[2]} |`;
    }),
    "",
  ];
}

const lines = [
  "# Gradients and training steps",
  "",
  `Made by \`node bench/gradients.mjs\` (with \`--threads 1\` for one thread) on ${recorded.machine}. Standard: operators of ONNX`,
  "and `com.microsoft` Fused*; blocked: with the blocked layout. Steps are forward, backward and SGD with momentum, batch norms with",
  `the statistics of the batch. The forward pass is that of the same graph, with weights that are inputs. ${recorded.effort} each.`,
  "Processor time of one thread is what a busy machine can tell, too; wall time of two threads needs a quiet one.",
  "",
  ...tables(2, "wall"),
  ...tables(1, "processor"),
  ...tables(1, "least"),
];
writeFileSync(join(here, "results", "gradients.md"), lines.join("\n"));
