/**
 * What each step of post-training quantization gives on real networks, and what it costs. Run `npm run build` first, then
 *
 *   node bench/ptq.mjs [--only PATTERN] [--threads N]
 *
 * Every row is a process of its own, so that its peak memory is its own. With PEERS_PYTHON (a Python that has aimet-onnx) and
 * PEERS (the folder of aimet.py) set, AIMET's rows are run between ours. Rows go to bench/results/ptq.json as they end and are
 * not run again; the table is bench/results/ptq.md.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const here = dirname(fileURLToPath(import.meta.url));
const { values: flags } = parseArgs({
  options: { only: { type: "string" }, threads: { type: "string", default: "2" } },
});
const results = join(here, "results");
const file = join(results, "ptq.json");
const recorded = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : { rows: {} };

const dead = { method: "dead-channels" };
const cle = { method: "cle" };
const bias = { method: "bias-correction" };
const descent = { method: "adaround", iterations: 0 };
const adaround = { method: "adaround", iterations: 1000 };
const perTensor = { granularity: "tensor" };

/** Name → [task, recipe beside the default target and calibration]. */
const ours = {
  ...ladder("MobileNetV1-0.25", "W8A8 per tensor", perTensor),
  ...ladder("MobileNetV1-0.25", "W8A8 per channel", {}),
  ...recovery("MobileNetV1-0.25", "W4A8 per channel", { weights: "int4" }),
  ...recovery("ResNet-20", "W4A8 per channel", { weights: "int4" }),
  ...recovery("ResNet-20", "W4A8 per tensor", { weights: "int4", ...perTensor }),
  ...recovery("ESPNet", "W4A8 per channel", { weights: "int4" }),
  ...recovery("ESPNet", "W8A8 per channel", {}),
  ...presets("MobileNetV1-0.25"),
  ...presets("ResNet-20"),
  ...presets("ESPNet"),
};

/** AIMET's jobs: see aimet.py beside the peers' results. */
const aimet = {
  "ResNet-20 | W4A8 per channel | AIMET SeqMSE": ["resnet20", "seqmse:w4a8"],
  "ResNet-20 | W4A8 per channel | AIMET AdaRound 1,000": ["resnet20", "adaround:w4a8::1000"],
  "ResNet-20 | W4A8 per tensor | AIMET AdaRound 1,000": ["resnet20", "adaround:w4a8:tensor:1000"],
};

function ladder(task, name, settings) {
  const steps = {
    nearest: [],
    "+ dead channels": [dead],
    "+ CLE": [dead, cle],
    "+ bias correction": [dead, cle, bias],
    "+ AdaRound 1,000": [dead, cle, adaround],
  };
  const other = { "dead channels, descent": [dead, descent], "dead channels, bias correction": [dead, bias] };
  return rows(task, name, settings, { ...steps, ...other });
}

function recovery(task, name, settings) {
  return rows(task, name, settings, {
    nearest: [],
    "SeqMSE (AIMET's search)": [{ method: "seqmse", search: "aimet" }],
    "SeqMSE (fine)": [{ method: "seqmse" }],
    GPTQ: [{ method: "gptq" }],
    "descent only": [descent],
    "AdaRound 1,000": [adaround],
    "dead channels, AdaRound 1,000": [dead, adaround],
  });
}

function presets(task) {
  const made = Object.fromEntries(["fast", "standard", "best"].map((preset) => [preset, { preset }]));
  return Object.fromEntries(
    Object.entries(made).map(([name, recipe]) => [`${task} | preset | ${name}`, [task, recipe]]),
  );
}

function rows(task, name, settings, all) {
  return Object.fromEntries(
    Object.entries(all).map(([step, methods]) => [`${task} | ${name} | ${step}`, [task, { ...settings, methods }]]),
  );
}

function keep(name, row) {
  recorded.rows[name] = row;
  recorded.machine = `${cpus()[0].model}, ${flags.threads} threads, Node ${process.versions.node}`;
  mkdirSync(results, { recursive: true });
  writeFileSync(file, `${JSON.stringify(recorded, null, 1)}\n`);
  console.log(name, JSON.stringify(row));
}

const wanted = (name) => !recorded.rows[name] && (!flags.only || new RegExp(flags.only).test(name));

for (const [name, [task, recipe]] of Object.entries(ours)) {
  if (!wanted(name)) continue;
  const text = execFileSync(
    process.execPath,
    [join(here, "ptq-job.mjs"), task, JSON.stringify(recipe), flags.threads],
    { maxBuffer: 1e8 },
  );
  keep(name, JSON.parse(String(text).trim().split("\n").at(-1)));
}
const { PEERS_PYTHON: python, PEERS: peers } = process.env;
for (const [name, [task, job]] of Object.entries(python && peers ? aimet : {})) {
  if (!wanted(name)) continue;
  const env = { ...process.env, THREADS: flags.threads };
  const text = execFileSync(python, [join(peers, "aimet.py"), task, job], { cwd: peers, env, maxBuffer: 1e8 });
  const row = JSON.parse(String(text).trim().split("\n").at(-1));
  keep(name, { score: row.score / 100, seconds: row.method_s + row.calibrate_s, peakMB: row.peak_rss_mb });
}

const lines = [
  "# Post-training quantization, step by step",
  "",
  `Made by \`node bench/ptq.mjs\` on ${recorded.machine}. Target \`ort-cpu\`, ranges by \`sqnr\`; the score is that of the stock`,
  "session. Seconds are the whole run from the opened data to the lowered model; peak is the process's.",
  "",
  "| network | setting | steps | score | seconds | peak MB |",
  "| --- | --- | --- | --- | --- | --- |",
  ...Object.entries(recorded.rows).map(([name, row]) => {
    const [task, setting, step] = name.split(" | ");
    return `| ${task} | ${setting} | ${step} | ${(100 * row.score).toFixed(2)} | ${row.seconds.toFixed(1)} | ${row.peakMB} |`;
  }),
  "",
];
writeFileSync(join(results, "ptq.md"), lines.join("\n"));
