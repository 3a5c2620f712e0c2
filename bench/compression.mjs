/**
 * Float networks made smaller: what is left without training, trained in float, and in int8 on top, next to AIMET's compressor. Run
 * `npm run build` first, then
 *
 *   node bench/compression.mjs [--only PATTERN] [--aimet PYTHON] [--table]
 *
 * Every row is a run of the command line, a process of its own. Rows go to bench/results/compression.json as they end and are not run again;
 * the tables are bench/results/compression.md, and `--table` prints them without running anything. `--aimet` names a Python with aimet-torch
 * 2.42, which the rows of AIMET need.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { fixture, root } from "./accuracy-tasks.mjs";
import { compressionTable } from "./compression-table.mjs";
import { compressionRows } from "./compression-tasks.mjs";

const { values: flags } = parseArgs({
  options: { only: { type: "string" }, aimet: { type: "string" }, table: { type: "boolean" } },
});
const file = join(root, "bench", "results", "compression.json");
const read = () => (existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {});
const recorded = read();
const out = join(root, "out", "bench-compression");
const wanted = flags.only && new RegExp(flags.only);

for (const [name, row] of flags.table ? [] : Object.entries(compressionRows)) {
  if (recorded[name] || (wanted && !wanted.test(name))) continue;
  if ("aimet" in row && !flags.aimet) continue;
  if ("task" in row && !existsSync(row.task.model)) {
    console.log(`${name} is left out: ${row.task.model} is not here (set AVOCET_FIXTURES)`);
    continue;
  }
  if ("ranksOf" in row && !recorded[row.ranksOf]) continue;
  const result = "aimet" in row ? aimet(row) : compressed(name, row);
  // Another process may have ended rows meanwhile.
  Object.assign(recorded, read());
  recorded[name] = { machine: cpus()[0].model, ...result };
  console.log(name, JSON.stringify({ ...recorded[name], layers: undefined }));
  writeFileSync(file, `${JSON.stringify(recorded, null, 1)}\n`);
}
writeFileSync(join(root, "bench", "results", "compression.md"), compressionTable(recorded));

function compressed(name, { task, options, ranksOf, scored = false }) {
  const folder = join(out, name.replace(/[^\w.-]+/g, "-"));
  mkdirSync(dirname(folder), { recursive: true });
  const judging = ["--evaluate", task.judged, "--labels", task.labels, ...(task.judging ?? [])];
  const common = ["--preprocess", task.preprocess, "--threads", "1", "--force", ...(task.options ?? [])];
  // What chooses by scores must not see what judges.
  const choosing = [
    "--evaluate",
    task.fit,
    "--labels",
    task.truth,
    "--evaluate-samples",
    "1000",
    ...(task.judging ?? []),
  ];
  const ratios = ranksOf ? ["--ratios", ratiosFile(recorded[ranksOf].layers, `${folder}.json`)] : [];
  const made = avocet([
    "compress",
    task.model,
    ...["--data", task.fit, ...common, ...(scored ? choosing : judging), ...options, ...ratios, "-o", folder],
  ]);
  const file = join(folder, "model.onnx");
  const shipped = avocet([...["quantize", file, "--data", task.data, ...common, ...judging, "-o", `${folder}-int8`]]);
  const { cost, bytes, layers, seconds, notes, peakRssBytes, cpuSeconds, score, agreement } = made;
  const candidates = JSON.parse(readFileSync(join(folder, "sensitivity.json"), "utf8")).layers.flatMap(
    (one) => one.candidates,
  );
  return {
    options: options.map((one) => one.replaceAll(fixture(""), "")),
    // A score of the data that chose says nothing of the result.
    float: scored ? null : score.float,
    compressed: shipped.score.float,
    int8: shipped.score.quantized,
    unit: shipped.score.unit,
    metric: shipped.score.name,
    cost,
    bytes,
    agreement: scored ? null : (agreement?.float ?? null),
    evaluations: candidates.filter((one) => one.score !== null).length,
    layers: layers.map(({ layer, scheme, rank, macs }) => ({ layer, scheme, rank, macs })),
    notes,
    seconds,
    cpuSeconds,
    peakMB: Math.round(peakRssBytes / 2 ** 20),
    latency: JSON.parse(run(process.execPath, [join(root, "bench", "compression-latency.mjs"), task.model, file])),
  };
}

/** Shares of what each layer costs, a little above, so that rounding keeps the rank. */
function ratiosFile(layers, path) {
  const ratios = layers.map(({ layer, macs: [before, after] }) => [layer, (after + 1) / before]);
  writeFileSync(path, JSON.stringify(Object.fromEntries(ratios)));
  return path;
}

function aimet({ aimet: { network, scheme, share, uniform } }) {
  const script = join(root, "bench", "peers", "aimet_compression.py");
  const args = [
    script,
    fixture(""),
    "--network",
    network,
    "--schemes",
    scheme,
    "--share",
    share,
    ...(uniform ? ["--uniform"] : []),
  ];
  return JSON.parse(run(flags.aimet, args).trim().split("\n").at(-1));
}

/** What the command line prints, with the seconds of processor time that it and its children took. */
function avocet(args) {
  const command = [join(root, "dist", "cli", "main.js"), ...args, "--json", "--quiet"];
  const cpu = join(out, `cpu-${process.pid}.txt`);
  rmSync(cpu, { force: true });
  const options = `--import=${pathToFileURL(join(root, "bench", "compression-cpu.mjs")).href}`;
  const printed = run(process.execPath, command, { ...process.env, NODE_OPTIONS: options, COMPRESSION_CPU: cpu });
  const seconds = readFileSync(cpu, "utf8").trim().split("\n").map(Number);
  rmSync(cpu);
  return { ...JSON.parse(printed), cpuSeconds: seconds.reduce((sum, one) => sum + one, 0) };
}

function run(command, args, env = process.env) {
  return execFileSync(command, args, { maxBuffer: 1e8, encoding: "utf8", env, stdio: ["ignore", "pipe", "inherit"] });
}
