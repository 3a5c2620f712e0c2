/**
 * What quantization costs real networks, through the command line: every setting, target and observer, scored in a stock
 * session and simulated. Run `npm run build` first, then `node bench/accuracy.mjs [--only PATTERN] [--threads N] [--table]`; the
 * whole takes about an hour on two idle cores. Finished rows are kept in bench/results/accuracy.json and not run again (delete it to begin
 * again); --only runs the rows whose name matches, --table only writes the tables into docs/accuracy.md.
 */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { writePngs } from "../examples/pictures/write.mjs";
import { tables } from "./accuracy-table.mjs";
import { picturePreprocess, pictures, root, tasks } from "./accuracy-tasks.mjs";

const { values: flags } = parseArgs({
  options: { only: { type: "string" }, threads: { type: "string", default: "2" }, table: { type: "boolean" } },
});
const results = join(root, "bench", "results");
const file = join(results, "accuracy.json");
const recorded = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : { rows: {} };
const threads = ["--threads", flags.threads];
const execute = promisify(execFile);

const settings = {
  "W8A8 per channel": [],
  "W8A8 per tensor": ["--granularity", "tensor"],
  W8A16: ["--activations", "uint16"],
  "W4A8 nearest": ["--weights", "int4"],
};
const observers = ["sqnr", "tf_enhanced", "minmax", "percentile:99.99"];
const costly = ["mse", "entropy"];

if (!flags.table) await runAll();
const page = join(root, "docs", "accuracy.md");
const text = readFileSync(page, "utf8");
const marks = { begin: "<!-- bench/accuracy.mjs -->\n", end: "<!-- end -->" };
const before = text.slice(0, text.indexOf(marks.begin) + marks.begin.length);
writeFileSync(page, `${before}\n${tables(tasks(), recorded)}\n${text.slice(text.indexOf(marks.end))}`);
console.log(`wrote ${page}`);

async function runAll() {
  if (!existsSync(join(pictures, "preprocess.json"))) {
    writePngs(pictures, "calibration", 300);
    writePngs(pictures, "test", 1500);
    writeFileSync(join(pictures, "preprocess.json"), JSON.stringify(picturePreprocess));
  }
  for (const task of tasks()) {
    await row(`${task.name} | float`, async () => score(task, task.model, []));
    for (const observer of [...observers, ...costly]) {
      for (const [setting, options] of Object.entries(settings)) {
        if (costly.includes(observer) && setting !== "W8A8 per channel") continue;
        for (const target of ["ort-cpu", "aimet-default"]) {
          await row(`${task.name} | ${setting} | ${target} | ${observer}`, () =>
            quantized(task, ["--target", target, "--calibration", observer, ...options]),
          );
        }
      }
    }
    await limits(task);
  }
}

/** Runs a row unless it was recorded; what was found is written at once. */
async function row(name, run) {
  if (recorded.rows[name] || (flags.only && !new RegExp(flags.only).test(name))) return;
  try {
    recorded.rows[name] = await run();
  } catch (error) {
    recorded.rows[name] = { error: error.message };
  }
  console.log(name, JSON.stringify(recorded.rows[name]));
  recorded.machine = `${cpus()[0].model}, ${flags.threads === "1" ? "one thread" : `${flags.threads} threads`}, Node ${process.versions.node}`;
  mkdirSync(results, { recursive: true });
  writeFileSync(file, `${JSON.stringify(recorded, null, 1)}\n`);
}

/** Quantizes, then scores the folder as it ships and simulated. */
async function quantized(task, options, look = () => ({})) {
  const folder = mkdtempSync(join(tmpdir(), "avocet-accuracy-"));
  const out = join(folder, "out");
  try {
    const input = ["--data", task.data, "--preprocess", task.preprocess, ...task.options];
    const made = await avocet(["quantize", task.model, ...input, "--preset", "fast", ...options, "-o", out]);
    const { kernels } = JSON.parse(readFileSync(join(out, "report.json"), "utf8"));
    return {
      stock: (await score(task, out, [])).score,
      simulated: (await score(task, out, ["--simulated"])).score,
      agreement: made.agreement,
      calibrateSeconds: made.seconds.calibrate,
      totalSeconds: made.seconds.total,
      latencyMs: made.latencyMs,
      bytes: made.bytes,
      peakRssBytes: made.peakRssBytes,
      floatKernels: kernels.float.length,
      ...look(out),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function score(task, model, options) {
  const judged = ["--data", task.judged, "--labels", task.labels, "--preprocess", task.preprocess];
  const { value, samples } = await avocet([
    "evaluate",
    model,
    ...judged,
    ...(task.judging ?? []),
    ...task.options,
    ...options,
  ]);
  return { score: value, samples };
}

/** What limits the default: where the signal falls most, and what each of those layers costs. */
async function limits(task) {
  const name = `${task.name} | limits`;
  await row(name, () =>
    quantized(task, [], (out) => lowest(JSON.parse(readFileSync(join(out, "report.json"), "utf8")))),
  );
  for (const { layer, value } of recorded.rows[name]?.falls ?? []) {
    await row(`${name} | without ${layer}`, () => quantized(task, ["--float", layer, "--float", value]));
  }
}

/** The layers that add most noise, and the weights whose channels differ most. */
function lowest({ values, weights, outputs }) {
  const falls = values
    .filter(({ layer, fall }) => layer && fall !== null)
    .sort((a, b) => added(b) - added(a))
    .slice(0, 4)
    .map(({ layer, name, sqnr, fall }) => ({ layer, value: name, sqnr, fall }));
  return {
    falls,
    outputs,
    lowest: [...values].sort((a, b) => a.sqnr - b.sqnr).slice(0, 3).map(({ name, op, sqnr }) => ({ name, op, sqnr })), // biome-ignore format: one thought
    weights: weights.map(widest).sort((a, b) => b.spread - a.spread).slice(0, 3), // biome-ignore format: one thought
  };
}

/** Noise next to the signal that a value adds to what it is computed from. */
function added({ sqnr, fall }) {
  return 10 ** (-sqnr / 10) - 10 ** (-(sqnr + fall) / 10);
}

/** The widest channel of a weight next to its median one. */
function widest({ layer, channels }) {
  const reach = channels.max.map((high, i) => Math.max(high, -channels.min[i]));
  const sorted = [...reach].sort((a, b) => a - b);
  const most = sorted.at(-1);
  return {
    layer,
    channel: reach.indexOf(most),
    reach: most,
    spread: most / Math.max(sorted[sorted.length >> 1], 1e-12),
  };
}

/** Runs the command line in a process of its own and gives back its JSON. */
async function avocet(args) {
  const cli = join(root, "dist", "cli", "main.js");
  try {
    const { stdout } = await execute(process.execPath, [cli, ...args, ...threads, "--quiet", "--json"], {
      maxBuffer: 2 ** 28,
    });
    return JSON.parse(stdout);
  } catch (error) {
    throw new Error(JSON.parse(error.stdout || "{}").error?.message ?? error.message);
  }
}
