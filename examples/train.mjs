/**
 * Trains the bundled example's network from random weights: rendered pictures, one ONNX graph a step, no Python. It needs
 * `npm run build`, and writes the model and what is to be known of it.
 *
 *     node examples/train.mjs [--out out/trained] [--seed 1] [--pictures 16000] [--epochs 30] [--test 1500] [--resume]
 *
 * How it is trained decides how it quantizes. The pointwise convolutions have weight decay and an L1 penalty on the scales of
 * their BatchNorm ("network slimming", Liu et al. 2017), so channels that the network does not need die; the depthwise
 * convolutions have neither, as MobileNet's authors advise ("very little or no weight decay on the depthwise filters",
 * Howard et al. 2017, section 3.3). The depthwise BatchNorm behind a dying channel sees a variance near zero, and folding it
 * multiplies that channel's weights by up to 1 / √ε: one scale for the whole tensor no longer fits all channels.
 */
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { classLabels, cloneModel, evaluate, fromIterable, openRuntime, Tensor, topK, writeModel } from "avocet";
import { indexedDataset } from "avocet/data";
import { openCheckpointFolder } from "avocet/node";
import { normalise } from "avocet/passes";
import {
  augmentAll,
  crop,
  crossEntropy,
  flip,
  schedule,
  stepsPerEpoch,
  Trainer,
  train,
  trainBatchNorms,
} from "avocet/train";
import { networkInputs, pictureLabels, pictures } from "./pictures/dataset.mjs";
import { untrainedNetwork } from "./pictures/network.mjs";
import { side } from "./pictures/render.mjs";

const { values: options } = parseArgs({
  options: {
    out: { type: "string", default: "out/trained" },
    seed: { type: "string", default: "1" },
    pictures: { type: "string", default: "16000" },
    epochs: { type: "string", default: "30" },
    test: { type: "string", default: "1500" },
    resume: { type: "boolean", default: false },
  },
});
const [seed, count, epochs, judged] = [options.seed, options.pictures, options.epochs, options.test].map(Number);
// An interrupted run goes on with --resume, and returns the same bytes as one that was not.
const checkpoint = openCheckpointFolder(options.out, {
  identity: { seed: options.seed, pictures: options.pictures, epochs: options.epochs },
  resume: options.resume,
});
const settings = { batch: 64, rate: 0.05, decay: 1e-3, slimming: 1e-3 };
const started = performance.now();

const runtime = await openRuntime();
const untrained = untrainedNetwork(0);
const model = cloneModel(untrained);
await normalise(model, { runtime, foldBatchNorm: false });
const { affine, states } = trainBatchNorms(model);

const named = (/** @type {RegExp} */ pattern) =>
  [...model.graph.initializers].map((value) => value.name).filter((name) => pattern.test(name));
const decayed = named(/^(?!.*depthwise).*weight$/);
const slimmed = affine.filter((name) => name.endsWith("scale") && !name.includes("depthwise"));
const plain = [...named(/depthwise.*weight$|classifier.bias$/), ...affine.filter((name) => !slimmed.includes(name))];

const data = await rendered(count);
const total = epochs * stepsPerEpoch(count, settings.batch);
const trainer = await Trainer.open(
  {
    model,
    states,
    example: await data.read(Array.from({ length: settings.batch }, (_, i) => i)),
    groups: [
      { names: decayed, weightDecay: settings.decay },
      { names: slimmed, l1: settings.slimming },
      { names: plain },
    ],
    loss: crossEntropy(),
    optimizer: { kind: "sgd", momentum: 0.9, nesterov: true },
    rate: schedule({ kind: "cosine", rate: settings.rate, warmup: 200 }, total),
  },
  runtime,
);
await train(trainer, {
  data,
  epochs,
  seed,
  checkpoint,
  augment: augmentAll([flip("image"), crop(["image"], { pad: 3 })]),
  onProgress: ({ done, total: all, detail }) => progress(`step ${done} of ${all}, ${detail}`),
  onEpoch: ({ epoch, loss }) => say(`epoch ${epoch} of ${epochs}: loss ${loss.toFixed(4)}, ${seconds()} s`),
});
const trained = trainer.applyTo(untrained);
await trainer[Symbol.asyncDispose]();

const right = await rightOf(judged);
const bytes = writeModel(trained);
const parameters = [...decayed, ...slimmed, ...plain, ...states.map((state) => state.name)];
const record = {
  model: {
    file: "pictures.onnx",
    sha256: createHash("sha256").update(bytes).digest("hex"),
    parameters: parameters.reduce((sum, name) => sum + sizeOf(name), 0),
  },
  training: { script: "examples/train.mjs", networkSeed: 0, seed, pictures: count, epochs, ...settings },
  pictures: { first120TestSha256: hashOfPictures() },
  float: { top1: right / judged, right, testPictures: judged, rightOfFirst300: await rightOf(Math.min(300, judged)) },
};
mkdirSync(options.out, { recursive: true });
writeFileSync(join(options.out, "pictures.onnx"), bytes);
writeFileSync(join(options.out, "pictures.json"), `${JSON.stringify(record, null, 2)}\n`);
checkpoint.remove();
say(`${right} of ${judged} test pictures right (${((100 * right) / judged).toFixed(1)} %), after ${seconds()} s`);
say(`wrote ${join(options.out, "pictures.onnx")}`);

/** Training pictures as bytes in memory; a batch is made of them when it is asked for. @param {number} count */
async function rendered(count) {
  const area = side * side;
  const pixels = new Uint8Array(count * 3 * area);
  const labels = pictureLabels("train", count);
  for (const picture of pictures("train", count)) {
    pixels.set(picture.pixels, picture.index * 3 * area);
    if (picture.index % 100 === 99) progress(`rendered ${picture.index + 1} of ${count} pictures`);
  }
  say(`rendered ${count} pictures, ${seconds()} s`);
  return indexedDataset({
    count,
    source: "rendered pictures",
    read: async (indices) => {
      const values = new Float32Array(indices.length * 3 * area);
      indices.forEach((index, row) => {
        for (let i = 0; i < area; i++) {
          for (let k = 0; k < 3; k++) {
            const byte = pixels[(index * area + i) * 3 + k] ?? 0;
            values[(row * 3 + k) * area + i] = (byte / 255 - 0.5) / 0.25;
          }
        }
      });
      return {
        image: Tensor.float32([indices.length, 3, side, side], values),
        labels: Tensor.int64(
          [indices.length],
          indices.map((index) => labels[index] ?? 0),
        ),
      };
    },
  });
}

/** How many of the first test pictures the trained network names. @param {number} count */
async function rightOf(count) {
  const session = await runtime.open(trained);
  const test = fromIterable(() => networkInputs("test", count), { count });
  const labels = classLabels(pictureLabels("test", count), "rendered pictures");
  const { value } = await evaluate(session, test, topK(1), { labels, batch: 60 });
  await session[Symbol.asyncDispose]();
  return Math.round(value * count);
}

/** @param {string} name */
function sizeOf(name) {
  return model.graph.valuesByName().get(name)?.initializer?.size ?? 0;
}

/** Of the pictures that judge: they are the same on every machine. */
function hashOfPictures() {
  const hash = createHash("sha256");
  for (const { pixels } of pictures("test", 120)) hash.update(pixels);
  return hash.digest("hex");
}

/** @param {string} text */
function progress(text) {
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${text}`);
}

/** @param {string} text */
function say(text) {
  process.stdout.write(`${process.stdout.isTTY ? "\r\x1b[K" : ""}${text}\n`);
}

function seconds() {
  return Math.round((performance.now() - started) / 1000);
}
