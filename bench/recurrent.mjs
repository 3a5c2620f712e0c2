/**
 * Recurrent networks in every form: errors, bytes and latency beside float, and what peers make of the same files.
 *
 *   npm run build && node bench/recurrent.mjs ocr --lines RENDERED [--only NAME] [--out FOLDER]
 *
 * RENDERED is what bench/peers/ocr_lines.py wrote. Peers: bench/peers/recurrent_peers.py. Figures: bench/results/recurrent.md.
 */
import { mkdirSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { readModelFile, writeModelFile } from "../dist/formats/inner-node.js";
import { parseRecipe, quantizeModel } from "../dist/recipe/inner.js";
import { openRuntime } from "../dist/runtime/inner.js";
import { latency } from "./recurrent/latency.mjs";
import { errorRates, judgedLines, renderedLines } from "./recurrent/ocr.mjs";
import { siSnr } from "./recurrent/speech.mjs";
import {
  dtlnData,
  dtlnFiles,
  dtlnScore,
  pairs,
  sameVoice,
  sileroData,
  sileroDecisions,
  sileroFile,
} from "./recurrent/speech-tasks.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const fixtures = resolve(root, process.env.AVOCET_FIXTURES ?? "../shared/fixtures");
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    lines: { type: "string" },
    only: { type: "string" },
    out: { type: "string", default: "out/bench-recurrent" },
    calibration: { type: "string", default: "64" },
  },
});
/** What the networks of speech are quantized with, by the names of their rows. */
const speechRecipes = {
  "W8A8, fast": { preset: "fast" },
  "W8A8, standard": { preset: "standard" },
  dynamic: { preset: "fast", form: "dynamic" },
  "W4A8, standard": { preset: "standard", weights: "int4" },
};

const parts = { ocr, dtln, silero, latency };
const runtime = await openRuntime();
mkdirSync(options.out, { recursive: true });
for (const name of positionals) await parts[name]();

async function ocr() {
  const folder = join(fixtures, "easyocr-english-g2");
  const lines = await judgedLines(folder);
  const { data } = renderedLines(options.lines, Number(options.calibration));
  const model = await readModelFile(join(folder, "english_g2.onnx"));
  const recipes = {
    "W8A8, fast": { preset: "fast" },
    "W8A8, standard": { preset: "standard" },
    "W4A8, standard": { preset: "standard", weights: "int4" },
    "W4A8, best": { preset: "best", weights: "int4" },
    dynamic: { preset: "fast", form: "dynamic" },
  };
  const paths = { float: join(folder, "english_g2.onnx") };
  for (const [name, recipe] of Object.entries(recipes)) {
    if (options.only && !name.includes(options.only)) continue;
    const start = performance.now();
    const made = await quantizeModel(model, data, parseRecipe({ target: "ort-cpu", ...recipe }), runtime);
    paths[name] = join(options.out, `g2-${name.replaceAll(/\W+/g, "-")}.onnx`);
    await writeModelFile(made.shipped, paths[name]);
    const operators = [...made.shipped.graph.nodes].filter(({ op }) => /LSTM/.test(op)).map(({ op }) => op);
    console.error(`${name}: ${((performance.now() - start) / 1000).toFixed(0)} s, ${operators.join(", ")}`);
  }
  await judge(paths, lines);
}

/** Errors of files that are there already: `judge FILE…`. */
async function judge(paths, lines) {
  for (const [name, path] of Object.entries(paths)) {
    const session = await runtime.open(path);
    const { wer, cer } = await errorRates(session, lines);
    await session.close?.();
    console.log(`| ${name} | ${wer.toFixed(2)} | ${cer.toFixed(2)} | ${statSync(path).size} |`);
  }
}

async function dtln() {
  const files = dtlnFiles(fixtures);
  const models = files.map((file) => readModelFile(file));
  const float = [await runtime.open(files[0]), await runtime.open(files[1])];
  const data = await dtlnData(fixtures, float);
  const noisy = pairs(fixtures).reduce((sum, { clean, noisy }) => sum + siSnr(noisy, clean), 0) / 5;
  console.log(`| DTLN, noisy | ${noisy.toFixed(2)} | | |`);
  const show = async (name, sessions, paths) => {
    const { snr, step } = await dtlnScore(sessions, fixtures);
    const size = paths.reduce((sum, path) => sum + statSync(path).size, 0);
    console.log(`| DTLN, ${name} | ${snr.toFixed(2)} | ${size} | ${step.toFixed(3)} |`);
  };
  await show("float", float, files);
  for (const [name, recipe] of Object.entries(speechRecipes)) {
    if (options.only && !name.includes(options.only)) continue;
    const paths = [];
    for (const [i, model] of models.entries()) {
      const made = await quantizeModel(model, data[i], parseRecipe({ target: "ort-cpu", ...recipe }), runtime);
      paths.push(join(options.out, `dtln-${i + 1}-${name.replaceAll(/\W+/g, "-")}.onnx`));
      await writeModelFile(made.shipped, paths[i]);
    }
    await show(name, [await runtime.open(paths[0]), await runtime.open(paths[1])], paths);
  }
}

async function silero() {
  const file = sileroFile(fixtures);
  const data = sileroData(fixtures);
  const float = await sileroDecisions(await runtime.open(file), fixtures);
  console.log(`| Silero, float | | ${statSync(file).size} | ${float.step.toFixed(3)} |`);
  for (const [name, recipe] of Object.entries(speechRecipes)) {
    if (options.only && !name.includes(options.only)) continue;
    const made = await quantizeModel(readModelFile(file), data, parseRecipe({ target: "ort-cpu", ...recipe }), runtime);
    const path = join(options.out, `silero-${name.replaceAll(/\W+/g, "-")}.onnx`);
    await writeModelFile(made.shipped, path);
    const { found, step } = await sileroDecisions(await runtime.open(path), fixtures);
    const same = sameVoice(found, float.found);
    console.log(
      `| Silero, ${name} | ${(100 * same).toFixed(2)} % of ${found.length} | ${statSync(path).size} | ${step.toFixed(3)} |`,
    );
  }
}
