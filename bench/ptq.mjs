/**
 * What each step of post-training quantization returns on real networks, and what it costs. Run `npm run build` first, then
 *
 *   node bench/ptq.mjs [--only PATTERN] [--seeds N] [--threads N] [--again] [--list]
 *
 * Every row is a process of its own, so that its peak memory is its own. With PEERS_PYTHON (a Python that has aimet-onnx) and
 * PEERS (the folder of aimet.py) set, AIMET's rows are run in between. Rows go to bench/results/ptq.json as they end and are not
 * run again (unless --again); docs/methods/results.md gets the tables and docs/methods/results.svg the plot.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { plot } from "./ptq-plot.mjs";
import { aimet, rowsOf } from "./ptq-rows.mjs";
import { tables } from "./ptq-table.mjs";
import { tasks } from "./ptq-tasks.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const docs = join(here, "..", "docs", "methods");
const { values: flags } = parseArgs({
  options: {
    only: { type: "string" },
    seeds: { type: "string", default: "1" },
    threads: { type: "string", default: "2" },
    again: { type: "boolean" },
    list: { type: "boolean" },
  },
});
const big = { maxBuffer: 1e8, stdio: ["ignore", "pipe", "inherit"] };
const file = join(here, "results", "ptq.json");
const read = () => (existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : { rows: {} });
const ours = rowsOf(tasks());
const { PEERS_PYTHON: python, PEERS: peers } = process.env;
const theirs = python && peers ? aimet : {};

for (const name of inOrder(theirs)) {
  if (flags.only && !new RegExp(flags.only).test(name)) continue;
  for (let seed = 0; seed < Number(flags.seeds); seed++) {
    const isDone = (read().rows[name] ?? []).some((row) => row.seed === seed);
    if (isDone && !flags.again) continue;
    if (flags.list) console.log(name);
    else keep(name, seed, ours[name] ? own(ours[name], seed) : peer(theirs[name]));
  }
}
if (!flags.list) write();

/** AIMET's rows stand behind ours of the same setting, so that they are run in the same minutes. */
function inOrder(peers) {
  const setting = (name) => name.split(" | ").slice(0, 2).join(" | ");
  const all = [...Object.keys(ours), ...Object.keys(peers)];
  const settings = [...new Set(all.map(setting))];
  return settings.flatMap((one) => all.filter((name) => setting(name) === one));
}

function own({ task, recipe, ...spec }, seed) {
  const text = JSON.stringify({ ...spec, ...(recipe ? { recipe: { ...recipe, seed } } : {}) });
  return lastLine(execFileSync(process.execPath, [join(here, "ptq-job.mjs"), task, text, flags.threads], big));
}

function peer([task, job, samples]) {
  const env = { ...process.env, THREADS: flags.threads, SAMPLES: `${samples}`, PYTHONDONTWRITEBYTECODE: "1" };
  const script = join(here, "peers", "aimet_row.py");
  const found = lastLine(
    execFileSync(python, [script, peers, task, job], { ...big, stdio: ["ignore", "pipe", "ignore"], env }),
  );
  const seconds = found.prepare_s + found.method_s + found.calibrate_s;
  return { score: found.score / 100, sqnr: found.sqnr, seconds, cpuSeconds: found.cpu_s, peakMB: found.peak_rss_mb };
}

function lastLine(text) {
  return JSON.parse(String(text).trim().split("\n").at(-1));
}

/** The file is read again and written at once: another process may write rows of its own. */
function keep(name, seed, row) {
  const recorded = read();
  const others = (recorded.rows[name] ?? []).filter((one) => one.seed !== seed);
  recorded.rows[name] = [...others, { seed, threads: Number(flags.threads), ...row }].sort((a, b) => a.seed - b.seed);
  recorded.machine = `${cpus()[0].model.trim()}, two cores, Node ${process.versions.node}`;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.${process.pid}`, `${JSON.stringify(recorded, null, 1)}\n`);
  renameSync(`${file}.${process.pid}`, file);
  console.log(name, JSON.stringify(row));
}

/** The page keeps its words; the tables between the two marks are replaced. */
function write() {
  const { rows, machine } = read();
  // In the order of the bench, whatever was run when.
  const names = [...new Set([...inOrder(aimet), ...Object.keys(rows)])].filter((name) => rows[name]);
  const recorded = { machine, rows: Object.fromEntries(names.map((name) => [name, rows[name]])) };
  const page = join(docs, "results.md");
  const [begin, end] = ["<!-- tables of bench/ptq.mjs -->", "<!-- end of tables -->"];
  const text = existsSync(page) ? readFileSync(page, "utf8") : `# Measured\n\n${begin}\n${end}\n`;
  const [before, rest] = [text.slice(0, text.indexOf(begin)), text.slice(text.indexOf(end))];
  writeFileSync(page, `${before}${begin}\n\n${tables(recorded)}\n${rest}`);
  writeFileSync(join(docs, "results.svg"), plot(recorded.rows));
}
