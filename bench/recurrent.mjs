/**
 * Recurrent networks in every form: errors, bytes and latency beside float, and what peers make of the same files.
 *
 *   npm run build && node bench/recurrent.mjs ocr --lines RENDERED [--only NAME] [--out FOLDER]
 *
 * RENDERED is what bench/peers/ocr_lines.py wrote. Peers: bench/peers/recurrent_peers.py. Figures: bench/results/recurrent.md.
 */
import { mkdirSync, readdirSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { fromTensors } from "../dist/data/inner.js";
import { readModelFile, writeModelFile } from "../dist/formats/inner-node.js";
import { parseRecipe, quantizeModel } from "../dist/recipe/inner.js";
import { openRuntime } from "../dist/runtime/inner.js";
import { Tensor } from "../dist/tensor/inner.js";
import { latency } from "./recurrent/latency.mjs";
import { errorRates, judgedLines, renderedLines } from "./recurrent/ocr.mjs";
import { enhance, readWav, siSnr, voiceFrames } from "./recurrent/speech.mjs";

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

/** Noisy recordings without a reference: what calibrates. */
function recordings(prefix) {
  const folder = join(fixtures, "dns3-speech-pairs");
  return readdirSync(folder)
    .filter((name) => name.startsWith(prefix) && name.endsWith(".wav"))
    .map((name) => readWav(join(folder, name)));
}

function pairs() {
  return ["0015", "0016", "0072", "0398", "0523"].map((number) => {
    const of = (kind) => readWav(join(fixtures, `dns3-speech-pairs/DNS3_test_set__${number}_${kind}.wav`));
    return { clean: of("clean"), noisy: of("noisy") };
  });
}

async function dtln() {
  const files = [1, 2].map((n) => join(fixtures, `dtln-speech-enhancement/model_${n}.onnx`));
  const models = files.map((file) => readModelFile(file));
  const float = [await runtime.open(files[0]), await runtime.open(files[1])];
  const seen = [[], []];
  for (const samples of recordings("blind"))
    await enhance(...float, samples, (one, two, step) => {
      if (step % 12 !== 5) return;
      seen[0].push(one);
      seen[1].push(two);
    });
  const joined = seen.map((feeds) =>
    Object.fromEntries(
      Object.keys(feeds[0]).map((name) => {
        const [, ...rest] = feeds[0][name].shape;
        const data = new Float32Array(feeds.length * feeds[0][name].size);
        for (const [i, one] of feeds.entries()) data.set(one[name].floats(), i * one[name].size);
        return [name, Tensor.float32([feeds.length, ...rest], data)];
      }),
    ),
  );
  const score = async (first, second) => {
    let [sum, milliseconds, steps] = [0, 0, 0];
    for (const { clean, noisy } of pairs()) {
      const start = performance.now();
      const found = await enhance(first, second, noisy, () => steps++);
      milliseconds += performance.now() - start;
      sum += siSnr(found, clean.subarray(0, found.length));
    }
    return { snr: sum / pairs().length, step: milliseconds / steps };
  };
  const noisy = pairs().reduce((sum, { clean, noisy }) => sum + siSnr(noisy, clean), 0) / pairs().length;
  console.log(`| DTLN, noisy | ${noisy.toFixed(2)} | | |`);
  const show = async (name, sessions, paths) => {
    const { snr, step } = await score(...sessions);
    const size = paths.reduce((sum, path) => sum + statSync(path).size, 0);
    console.log(`| DTLN, ${name} | ${snr.toFixed(2)} | ${size} | ${step.toFixed(3)} |`);
  };
  await show("float", float, files);
  for (const [name, recipe] of Object.entries(speechRecipes)) {
    if (options.only && !name.includes(options.only)) continue;
    const paths = [];
    for (const [i, model] of models.entries()) {
      const made = await quantizeModel(
        await model,
        fromTensors(joined[i]),
        parseRecipe({ target: "ort-cpu", ...recipe }),
        runtime,
      );
      paths.push(join(options.out, `dtln-${i + 1}-${name.replaceAll(/\W+/g, "-")}.onnx`));
      await writeModelFile(made.shipped, paths[i]);
    }
    await show(name, [await runtime.open(paths[0]), await runtime.open(paths[1])], paths);
  }
}

async function silero() {
  const file = join(fixtures, "silero-vad-lstm/silero_vad_16k_sequence.onnx");
  const zeros = () => Tensor.float32([1, 1, 128], new Float32Array(128));
  const frames = recordings("blind").map(voiceFrames);
  const steps = frames.reduce((sum, { shape }) => sum + shape[0], 0);
  const input = new Float32Array(steps * 576);
  let at = 0;
  for (const one of frames) {
    input.set(one.floats(), at);
    at += one.size;
  }
  const data = fromTensors(
    { input: Tensor.float32([steps, 576], input), h: zeros(), c: zeros() },
    { axes: { h: null, c: null } },
  );
  const judged = pairs().flatMap(({ clean, noisy }) => [voiceFrames(clean), voiceFrames(noisy)]);
  /** In pieces of 16 steps, states fed back. */
  const decide = async (session) => {
    const found = [];
    const start = performance.now();
    for (const frames of judged) {
      let [h, c] = [zeros(), zeros()];
      for (let t = 0; t + 16 <= frames.shape[0]; t += 16) {
        const piece = Tensor.float32([16, 576], frames.floats().slice(t * 576, (t + 16) * 576));
        const { speech_probs, hn, cn } = await session.run({ input: piece, h, c });
        found.push(...speech_probs.floats());
        [h, c] = [hn, cn].map((state) => Tensor.float32([1, 1, 128], state.floats()));
      }
    }
    return { found, step: (performance.now() - start) / found.length };
  };
  const float = await decide(await runtime.open(file));
  console.log(`| Silero, float | | ${statSync(file).size} | ${float.step.toFixed(3)} |`);
  for (const [name, recipe] of Object.entries(speechRecipes)) {
    if (options.only && !name.includes(options.only)) continue;
    const made = await quantizeModel(
      await readModelFile(file),
      data,
      parseRecipe({ target: "ort-cpu", ...recipe }),
      runtime,
    );
    const path = join(options.out, `silero-${name.replaceAll(/\W+/g, "-")}.onnx`);
    await writeModelFile(made.shipped, path);
    const { found, step } = await decide(await runtime.open(path));
    const same = found.filter((p, i) => p > 0.5 === float.found[i] > 0.5).length / found.length;
    console.log(
      `| Silero, ${name} | ${(100 * same).toFixed(2)} % of ${found.length} | ${statSync(path).size} | ${step.toFixed(3)} |`,
    );
  }
}
