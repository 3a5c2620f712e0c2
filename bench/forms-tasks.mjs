/**
 * The tasks of bench/forms.mjs: those of bench/agreement-tasks.mjs and bench/accuracy-tasks.mjs as they are, and the networks whose score is another
 * than a class: boxes, texts, speech, embeddings, notes.
 *
 * A task has `files`, `data(runtime, models)` (what calibrates each file), and `score(sessions, count, float)`: what the sessions of its files are
 * worth on the first `count` samples (all where it is undefined), `float` being sessions of the float files for scores that compare with them.
 */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { evaluate, evaluateAll, meanIoU, metricNamed, topK } from "../dist/analysis/inner.js";
import { parseDecoding } from "../dist/analysis/inner-files.js";
import { alignLabels, fromArray, samples } from "../dist/data/inner.js";
import { parsePreprocess } from "../dist/data/inner-files.js";
import { openData, openLabels } from "../dist/data/inner-node.js";
import { readModelFile } from "../dist/formats/inner-node.js";
import { inputPorts } from "../dist/runtime/inner.js";
import { root } from "./accuracy-tasks.mjs";
import { tasks as agreementTasks } from "./agreement-tasks.mjs";
import { pooledCosines } from "./embedding-cosines.mjs";
import { tasks as ptqTasks } from "./ptq-tasks.mjs";
import { errorRates, judgedLines, renderedLines } from "./recurrent/ocr.mjs";
import {
  dtlnData,
  dtlnFiles,
  dtlnScore,
  sameVoice,
  sileroData,
  sileroDecisions,
  sileroFile,
} from "./recurrent/speech-tasks.mjs";

const fixtures = resolve(root, process.env.AVOCET_FIXTURES ?? "../shared/fixtures");
const fixture = (name) => join(fixtures, name);

/** What is judged of the networks that take long, and what calibrates them: the machine is small. */
const fewer = {
  "MobileNetV1-0.25": { judged: 400, calibration: 100 },
  MobileNetV2: { judged: 400, calibration: 64 },
  "ResNet-20": { judged: 2000 },
  "ResNet-56": { judged: 1000, calibration: 100 },
  ESPNet: { judged: 20, calibration: 24 },
  FastestDet: { calibration: 32 },
};

/** Images with labels, judged by `metric()`. */
function images({ name, task, model, data, judged, labels, preprocess, options }, unit, metric, kind) {
  const inputs = inputPorts(readModelFile(model));
  const settings = parsePreprocess(JSON.parse(readFileSync(preprocess, "utf8")));
  const open = (where) => openData(where, { inputs, preprocess: settings, cacheBytes: 2e9 });
  const { judged: most, calibration } = fewer[name] ?? {};
  const less = [calibration && `${calibration} of those that calibrate`, most && `${most} of those that judge`];
  const evenly = (all, count) => (count === undefined ? all : samples(all, count));
  let opened;
  return {
    name,
    unit,
    of: [task ?? "digits: calibrated on every fiftieth, judged on the other 9,800", ...less.filter(Boolean)].join("; "),
    files: [model],
    data: async () => [await evenly(await open(data), calibration)],
    score: async ([session], count) => {
      opened ??= { all: await open(judged), truth: await openLabels(labels, kind ? { kind } : {}) };
      const part = await evenly(opened.all, count ?? most);
      const batch = Number(options[1]) || 1;
      const given = kind ? opened.truth : alignLabels(opened.truth, part);
      return (await evaluate(session, part, metric(), { labels: given, batch })).value;
    },
  };
}

function pictures() {
  const known = [...agreementTasks(), ...ptqTasks().filter(({ judging }) => judging)];
  return known
    .filter(({ name }) => name !== "bundled example")
    .map((task) => images(task, "%", () => (task.judging ? meanIoU({ ignore: 11 }) : topK(1))));
}

const fastestDet = {
  boxes: { box: [1, 2, 3, 4], position: "tanh", size: "sigmoid", cells: true, object: 0, classes: 5, powers: [0.6, 0.4], overlap: 0.45 },
}; // biome-ignore format: as in docs/judging.md

function boxes() {
  const task = {
    name: "FastestDet",
    task: "COCO: calibrated on 126 training images, judged on 128 of val2017, mAP50",
    model: fixture("fastestdet-coco/FastestDet.onnx"),
    data: fixture("coco128-val-train/train2017_480.json"),
    judged: fixture("coco128-val-train/val2017.json"),
    labels: fixture("coco128-val-train/val2017.json"),
    preprocess: join(root, "bench", "preprocess", "fastestdet.json"),
    options: ["--batch", "1"],
  };
  const decode = parseDecoding(fastestDet, "FastestDet");
  return images(task, "%", () => metricNamed("map50", "boxes", { decode }), "boxes");
}

const speech = [
  {
    name: "DTLN",
    unit: "dB",
    of: "speech enhancement, two networks, states fed back: calibrated on every twelfth step of five noisy recordings, SI-SNR of five pairs of DNS3 (3.09 dB before)",
    files: dtlnFiles(fixtures),
    data: async (runtime, models) =>
      dtlnData(fixtures, await Promise.all(models.map((model) => runtime.open(model, { threads: 1 })))),
    score: async (sessions, count) => (await dtlnScore(sessions, fixtures, count === undefined ? 5 : 1)).snr,
  },
  {
    name: "Silero VAD",
    unit: "%",
    of: "voice activity, states fed back: calibrated on five noisy recordings, decisions as float's on ten of DNS3",
    files: [sileroFile(fixtures)],
    data: async () => [sileroData(fixtures)],
    score: async ([session], count, [float]) => {
      const recordings = count === undefined ? 10 : 2;
      const found = await sileroDecisions(session, fixtures, recordings);
      return sameVoice(found.found, (await sileroDecisions(float, fixtures, recordings)).found);
    },
  },
];

function notes() {
  const file = fixture("basic-pitch/nmp.onnx");
  const raw = readFileSync(fixture("basic-pitch/vocadito_10_windows_6x43844x1.f32"));
  const windows = new Float32Array(raw.buffer, raw.byteOffset, raw.length / 4);
  const [input] = readModelFile(file).graph.inputs;
  const all = fromArray(input.name, [6, 43844, 1], windows, "vocadito_10");
  return {
    name: "Basic Pitch",
    unit: "",
    of: "notes of a song: calibrated on windows 0, 2 and 4, cosine of the first output to float's on all six",
    files: [file],
    data: async () => [fromArray(input.name, [3, 43844, 1], Float32Array.from([0, 2, 4].flatMap((n) => [...windows.subarray(n * 43844, (n + 1) * 43844)])), "vocadito_10")], // biome-ignore format: one thought
    score: async ([session], count, [float]) => {
      const part = count === undefined ? all : await samples(all, 2);
      const judged = [float, session].map((one) => ({ session: one, metric: metricNamed("cosine", "outputs") }));
      return (await evaluateAll(judged, part, { batch: 1 }))[1].value;
    },
  };
}

/** `folder` has model.onnx (bench/peers/minilm_onnx.py), and valid.jsonl and test.jsonl: token ids of lines of WikiText-2, 64 at most. */
function sentences(folder) {
  const file = join(folder, "model.onnx");
  const inputs = inputPorts(readModelFile(file));
  return {
    name: "MiniLM",
    unit: "",
    of: "embeddings of sentences: calibrated on 64 lines of WikiText-2's valid part, cosine of mean-pooled vectors to float's on 100 of its test part",
    files: [file],
    data: async () => [await openData(`${join(folder, "valid.jsonl")}?first=64`, { inputs })],
    score: async ([session], count, [float]) => {
      const judged = await openData(`${join(folder, "test.jsonl")}?first=${count ? 20 : 100}`, { inputs });
      const cosines = await pooledCosines(float, session, judged);
      return cosines.reduce((sum, x) => sum + x, 0) / cosines.length;
    },
  };
}

function lines(rendered) {
  const folder = fixture("easyocr-english-g2");
  return {
    name: "English OCR",
    unit: "% WER",
    better: "lower",
    of: "calibrated on 16 rendered lines (bench/peers/ocr_lines.py), word errors of the fixture's first 60 lines",
    files: [join(folder, "english_g2.onnx")],
    data: async () => [renderedLines(rendered, 16).data],
    score: async ([session], count) => {
      const judged = await judgedLines(folder);
      return (await errorRates(session, { ...judged, lines: judged.lines.slice(0, count ? 10 : 60) })).wer / 100;
    },
  };
}

/** The tasks whose files are here; the others are told. */
export function tasks({ lines: rendered, minilm }) {
  const made = [
    ...pictures(),
    ...[boxes, ...speech.map((task) => () => task), notes].flatMap((make) => {
      try {
        return [make()];
      } catch (error) {
        console.error(`left out: ${error.message}`);
        return [];
      }
    }),
    ...(rendered ? [lines(rendered)] : []),
    ...(minilm ? [sentences(minilm)] : []),
  ];
  return made.filter(({ files }) => files.every(existsSync));
}
