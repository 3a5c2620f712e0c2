/** The networks of speech as tasks: what calibrates them, and the score of sessions that feed their states back. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fromTensors } from "../../dist/data/inner.js";
import { Tensor } from "../../dist/tensor/inner.js";
import { enhance, readWav, siSnr, voiceFrames } from "./speech.mjs";

/** Noisy recordings without a reference: what calibrates. */
function recordings(fixtures) {
  const folder = join(fixtures, "dns3-speech-pairs");
  return readdirSync(folder)
    .filter((name) => name.startsWith("blind") && name.endsWith(".wav"))
    .map((name) => readWav(join(folder, name)));
}

export function pairs(fixtures) {
  return ["0015", "0016", "0072", "0398", "0523"].map((number) => {
    const of = (kind) => readWav(join(fixtures, `dns3-speech-pairs/DNS3_test_set__${number}_${kind}.wav`));
    return { clean: of("clean"), noisy: of("noisy") };
  });
}

export const dtlnFiles = (fixtures) => [1, 2].map((n) => join(fixtures, `dtln-speech-enhancement/model_${n}.onnx`));

/** What calibrates both networks of DTLN: every twelfth step of the recordings, with the states that `float` met there. */
export async function dtlnData(fixtures, float) {
  const seen = [[], []];
  for (const samples of recordings(fixtures))
    await enhance(...float, samples, (one, two, step) => {
      if (step % 12 !== 5) return;
      seen[0].push(one);
      seen[1].push(two);
    });
  return seen.map((feeds) => {
    const names = Object.keys(feeds[0]);
    const joined = names.map((name) => {
      const [, ...rest] = feeds[0][name].shape;
      const data = new Float32Array(feeds.length * feeds[0][name].size);
      for (const [i, one] of feeds.entries()) data.set(one[name].floats(), i * one[name].size);
      return [name, Tensor.float32([feeds.length, ...rest], data)];
    });
    return fromTensors(Object.fromEntries(joined));
  });
}

/** Mean SI-SNR in dB over the first `count` pairs, and milliseconds a step. */
export async function dtlnScore([first, second], fixtures, count = 5) {
  let [sum, milliseconds, steps] = [0, 0, 0];
  for (const { clean, noisy } of pairs(fixtures).slice(0, count)) {
    const start = performance.now();
    const found = await enhance(first, second, noisy, () => steps++);
    milliseconds += performance.now() - start;
    sum += siSnr(found, clean.subarray(0, found.length));
  }
  return { snr: sum / count, step: milliseconds / steps };
}

export const sileroFile = (fixtures) => join(fixtures, "silero-vad-lstm/silero_vad_16k_sequence.onnx");

const zeros = () => Tensor.float32([1, 1, 128], new Float32Array(128));

/** The frames of all recordings behind each other, states at zero. */
export function sileroData(fixtures) {
  const frames = recordings(fixtures).map(voiceFrames);
  const steps = frames.reduce((sum, { shape }) => sum + shape[0], 0);
  const input = new Float32Array(steps * 576);
  let at = 0;
  for (const one of frames) {
    input.set(one.floats(), at);
    at += one.size;
  }
  return fromTensors(
    { input: Tensor.float32([steps, 576], input), h: zeros(), c: zeros() },
    { axes: { h: null, c: null } },
  );
}

/** Probabilities of voice in the first `count` recordings of the pairs, in pieces of 16 steps with states fed back, and milliseconds a step. */
export async function sileroDecisions(session, fixtures, count = 10) {
  const judged = pairs(fixtures).flatMap(({ clean, noisy }) => [voiceFrames(clean), voiceFrames(noisy)]);
  const found = [];
  const start = performance.now();
  for (const frames of judged.slice(0, count)) {
    let [h, c] = [zeros(), zeros()];
    for (let t = 0; t + 16 <= frames.shape[0]; t += 16) {
      const piece = Tensor.float32([16, 576], frames.floats().slice(t * 576, (t + 16) * 576));
      const { speech_probs, hn, cn } = await session.run({ input: piece, h, c });
      found.push(...speech_probs.floats());
      [h, c] = [hn, cn].map((state) => Tensor.float32([1, 1, 128], state.floats()));
    }
  }
  return { found, step: (performance.now() - start) / found.length };
}

/** The share of decisions at one half that are the same. */
export const sameVoice = (found, float) => found.filter((p, i) => p > 0.5 === float[i] > 0.5).length / found.length;
