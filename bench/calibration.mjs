/**
 * Seconds and memory of calibration on 200 pictures, each measurement in a fresh process, next to the plain forward pass, the
 * floor (the same taps or fetches in a plain session) and AIMET-onnx where its script is given. Run `npm run build`, then
 *
 *   AIMET_PYTHON=…/python AIMET_SCRIPT=…/aimet.py node bench/calibration.mjs [--rounds 3] [--only mobilenet]
 *
 * Results: bench/results/calibration.md.
 */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";

const { values: flags } = parseArgs({
  options: { rounds: { type: "string", default: "3" }, only: { type: "string", default: "" } },
});
const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const fixtures = resolve(root, process.env.AVOCET_FIXTURES ?? "../shared/fixtures");
const execute = promisify(execFile);
const { AIMET_PYTHON: python, AIMET_SCRIPT: script } = process.env;

const tasks = [
  {
    name: "MobileNetV1-0.25",
    peer: "mobilenetv1",
    model: join(fixtures, "mobilenetv1-025-imagenet/mobilenet_v1_0.25_224.onnx"),
    data: join(fixtures, "imagenet1k-sample/index.json?every=5"),
    preprocess: join(root, "bench/preprocess/mobilenet-v1.json"),
  },
  {
    name: "ResNet-20",
    peer: "resnet20",
    model: join(fixtures, "cifar10/resnet20_cifar10jpeg_finetuned.onnx"),
    data: join(fixtures, "cifar10/train_jpegq75_5000_x.u8?shape=-1,32,32,3&first=200"),
    preprocess: join(root, "bench/preprocess/cifar10-resnet.json"),
  },
].filter((task) => task.name.toLowerCase().includes(flags.only.toLowerCase()) && existsSync(task.model));

async function job(task, settings) {
  const { peer: _, name: __, ...paths } = task;
  const given = JSON.stringify({ count: 200, ...paths, ...settings });
  const { stdout } = await execute("node", [join(root, "bench/calibration-job.mjs"), given], { maxBuffer: 2 ** 24 });
  return JSON.parse(stdout.trim().split("\n").at(-1));
}

/** AIMET's seconds for min-max and for its SQNR scheme. */
async function aimet(task) {
  if (!python || !script) return null;
  const { stdout } = await execute(python, [script, task.peer, "calibrate:w8a8"], {
    env: { ...process.env, FIXTURES: fixtures, SAMPLES: "200", THREADS: "2" },
    maxBuffer: 2 ** 24,
  });
  const rows = stdout
    .trim()
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));
  return { minmax: rows[0].calibrate_s, sqnr: rows[1].calibrate_s, rssMb: rows[1].peak_rss_mb };
}

const jobs = ["forward", "floor-minmax", "minmax", "floor-fetch", "sqnr"];
const lines = [
  "# Calibration: seconds and memory",
  "",
  "`npm run build`, then `AIMET_PYTHON=… AIMET_SCRIPT=… node bench/calibration.mjs`. 200 pictures, decoded before the clock starts;",
  `a fresh process for each number, the least of ${flags.rounds} rounds in turn; ${cpus()[0].model}, two threads. The floor is the same`,
  "values reduced in the graph (minimum, maximum, sum) or fetched whole in a plain session at its best batch, opening included.",
  "Target `ort-cpu`; AIMET with its default configuration, which observes more values.",
  `Load of the machine when it began: ${loadavg()[0].toFixed(1)} (seconds are only worth comparing when it is near 0).`,
  "",
];
for (const task of tasks) {
  const seconds = Object.fromEntries(jobs.map((name) => [name, []]));
  const peers = [];
  const rss = {};
  for (let round = 0; round < Number(flags.rounds); round++) {
    for (const name of jobs) {
      const found = await job(task, { job: name });
      seconds[name].push(found.seconds);
      rss[name] = found.rssMb;
    }
    peers.push(await aimet(task));
    console.error(task.name, round, JSON.stringify(seconds), JSON.stringify(peers.at(-1)));
  }
  const memory = [await job(task, { job: "rss", count: 200 }), await job(task, { job: "rss", count: 2000 })];
  const of = Object.fromEntries(jobs.map((name) => [name, Math.min(...seconds[name])]));
  const peer = (key) => (peers[0] ? Math.min(...peers.map((p) => p[key])) : null);
  const row = (name, ours, floorSeconds, theirs) =>
    `| ${name} | ${ours.toFixed(2)} | ${floorSeconds.toFixed(2)} | ${(ours / floorSeconds).toFixed(2)} | ${theirs?.toFixed(2) ?? "–"} | ${theirs ? (ours / theirs).toFixed(2) : "–"} |`;
  lines.push(
    `## ${task.name}`,
    "",
    `Plain forward at its best batch: ${of.forward.toFixed(2)} s.`,
    "",
    "| scheme | Avocet s | floor s | × floor | AIMET-onnx s | × AIMET |",
    "| --- | --- | --- | --- | --- | --- |",
    row("min-max", of.minmax, of["floor-minmax"], peer("minmax")),
    row("sqnr", of.sqnr, of["floor-fetch"], peer("sqnr")),
    "",
    `Peak memory, decoding as it goes: ${memory[0].rssMb} MB with 200 pictures, ${memory[1].rssMb} MB with 2,000${peers[0] ? `; AIMET ${peers.at(-1).rssMb} MB with 200` : ""}.`,
    "",
  );
}
const folder = join(root, "bench/results");
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, "calibration.md"), lines.join("\n"));
console.log(lines.join("\n"));
