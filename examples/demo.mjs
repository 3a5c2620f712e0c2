/**
 * The demo: renders pictures, quantizes the bundled network in two ways through the command line, and shows what each
 * kept. Run it with `npm run demo`; everything it makes lies in out/demo and may be deleted.
 *
 *     node examples/demo.mjs [--out out/demo] [--test 1500]          another folder, other counts of pictures to judge on
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { preprocess } from "./pictures/network.mjs";
import { classNames } from "./pictures/objects.mjs";
import { writePngs } from "./pictures/write.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const { values: options } = parseArgs({
  options: { out: { type: "string" }, test: { type: "string", default: "1500" } },
});
const out = resolve(options.out ?? join(root, "out", "demo"));
const model = join(root, "examples", "models", "pictures.onnx");
const counts = { calibration: 300, test: Number(options.test) };
const started = performance.now();

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });

say(`A small network names what is in a picture: ${classNames.slice(0, -1).join(", ")} or ${classNames.at(-1)}.`);
say(`Avocet turns it from float into 8-bit integers; it has never seen the pictures that judge the result.\n`);

const rendering = performance.now();
const calibration = writePngs(out, "calibration", counts.calibration);
const test = writePngs(out, "test", counts.test);
const settings = join(out, "preprocess.json");
writeFileSync(settings, `${JSON.stringify(preprocess, null, 2)}\n`);
say(`Rendered ${counts.calibration} pictures to calibrate on and ${counts.test} to judge on (${seconds(rendering)}):`);
say(`  ${shown(test)}\n`);

const perTensor = quantize("per-tensor", ["--preset", "fast", "--granularity", "tensor"]);
const standard = quantize("default", []);

/** Runs `avocet quantize` as anyone would in a shell. @param {string} name @param {string[]} more */
function quantize(name, more) {
  const folder = join(out, name);
  return avocet(["quantize", model, "--data", calibration, "--preprocess", settings, ...more, "--evaluate", test, "--labels", test, "-o", folder]); // biome-ignore format: a command line
}

const rows = [
  ["", "right", "agrees with float", "file", "one image"],
  ["float", percent(standard.score.float), "", kilobytes(standard.bytes.float), milliseconds(standard.latencyMs.float)],
  ...[perTensor, standard].map((run) => [
    `int8, ${run === standard ? "default" : "one scale per tensor"}`,
    percent(run.score.quantized),
    percent(run.agreement.float),
    kilobytes(run.bytes.quantized),
    milliseconds(run.latencyMs.quantized),
  ]),
];
for (const row of rows)
  say(
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(28) : cell.padStart(19)))
      .join("")
      .trimEnd(),
  );

say(`
With one scale per tensor and nothing else, a few channels with large weights take the whole range and the others are
rounded away. By default Avocet gives each output channel a scale of its own and rounds weights so that what a layer gives
stays close to float. Neither costs anything when the network runs.

Look at what happened, layer by layer:  ${shown(join(out, "default", "report.html"))}
The file that ships:                    ${shown(join(out, "default", "model.onnx"))}
Done in ${seconds(started)}.`);

/** Runs the command line; its progress and complaints go to the terminal. @param {string[]} args */
function avocet(args) {
  say(wrapped(["$ avocet", ...args.map((arg) => (arg.startsWith(root) ? shown(arg) : arg))]));
  const begun = performance.now();
  const run = spawnSync(process.execPath, [join(root, "dist", "cli", "main.js"), ...args, "--json"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (run.status !== 0) process.exit(run.status ?? 1);
  say(`  done in ${seconds(begun)}\n`);
  return JSON.parse(run.stdout);
}

/** A command as one would type it, on lines that fit a terminal. @param {string[]} words */
function wrapped(words) {
  const lines = [""];
  for (const word of words) {
    const last = lines[lines.length - 1];
    // An option begins a new line where the line is full; its value stays next to it.
    if (last.length > 70 && word.startsWith("-")) lines.push(`    ${word}`);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  return lines.join(" \\\n");
}

/** A path as one would type it here. @param {string} path */
function shown(path) {
  const short = relative(process.cwd(), path);
  return short.startsWith("..") ? path : short;
}

/** @param {string} text */
function say(text) {
  process.stdout.write(`${text}\n`);
}

/** @param {number} since */
function seconds(since) {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}

/** @param {number} fraction */
function percent(fraction) {
  return `${(100 * fraction).toFixed(1)} %`;
}

/** @param {number} bytes */
function kilobytes(bytes) {
  return `${Math.round(bytes / 1000)} kB`;
}

/** @param {number} time */
function milliseconds(time) {
  return `${time.toFixed(2)} ms`;
}
