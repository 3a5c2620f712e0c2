/** Speech: 16 kHz WAV files, the transform of DTLN, its streaming loop, and the frames of Silero's voice detector. */
import { readFileSync } from "node:fs";
import { Tensor } from "../../dist/tensor/inner.js";

/** Samples of a 16-bit mono WAV, −1 to 1. */
export function readWav(path) {
  const bytes = readFileSync(path);
  for (let at = 12; at + 8 <= bytes.length; ) {
    const size = bytes.readUInt32LE(at + 4);
    if (bytes.toString("latin1", at, at + 4) === "data") {
      const count = Math.min(size, bytes.length - at - 8) >> 1;
      return Float32Array.from({ length: count }, (_, i) => bytes.readInt16LE(at + 8 + 2 * i) / 32768);
    }
    at += 8 + size + (size & 1);
  }
  throw new Error(`${path} has no data`);
}

/** Scale-invariant signal-to-noise ratio in dB. */
export function siSnr(found, truth) {
  const mean = (x) => x.reduce((sum, v) => sum + v, 0) / x.length;
  const [mf, mt] = [mean(found), mean(truth)];
  let [dot, power] = [0, 0];
  for (let i = 0; i < truth.length; i++) {
    dot += (found[i] - mf) * (truth[i] - mt);
    power += (truth[i] - mt) ** 2;
  }
  let noise = 0;
  for (let i = 0; i < truth.length; i++) noise += (found[i] - mf - (dot / power) * (truth[i] - mt)) ** 2;
  return 10 * Math.log10(dot ** 2 / power / noise);
}

/** In place, radix 2 (Cooley and Tukey, 1965). */
function fft(re, im, sign) {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) [re[i], re[j], im[i], im[j]] = [re[j], re[i], im[j], im[i]];
  }
  for (let span = 2; span <= n; span *= 2) {
    const angle = (sign * 2 * Math.PI) / span;
    for (let start = 0; start < n; start += span)
      for (let k = 0; k < span / 2; k++) {
        const [c, s] = [Math.cos(angle * k), Math.sin(angle * k)];
        const [a, b] = [start + k, start + k + span / 2];
        const [x, y] = [re[b] * c - im[b] * s, re[b] * s + im[b] * c];
        [re[b], im[b], re[a], im[a]] = [re[a] - x, im[a] - y, re[a] + x, im[a] + y];
      }
  }
}

const [block, hop] = [512, 128];
const states = () => Tensor.float32([1, 2, 128, 2], new Float32Array(512));

/** What DTLN makes of a recording, each network on the states that it computes itself; `see` gets the feeds of both at every step. */
export async function enhance(first, second, samples, see = () => {}) {
  const output = new Float32Array(samples.length + block);
  let [one, two] = [states(), states()];
  const frame = new Float32Array(block);
  for (let at = 0, step = 0; at + hop <= samples.length; at += hop, step++) {
    frame.copyWithin(0, hop);
    frame.set(samples.subarray(at, at + hop), block - hop);
    const [re, im] = [Float64Array.from(frame), new Float64Array(block)];
    fft(re, im, -1);
    const magnitude = Float32Array.from({ length: block / 2 + 1 }, (_, k) => Math.hypot(re[k], im[k]));
    const feeds1 = { input_2: Tensor.float32([1, 1, 257], magnitude), input_3: one };
    const found1 = await first.run(feeds1);
    one = found1.tf_op_layer_stack_2;
    const mask = found1.activation_2.floats();
    for (let k = 0; k < block; k++) {
      const gain = mask[k <= block / 2 ? k : block - k];
      re[k] *= gain;
      im[k] *= gain;
    }
    fft(re, im, 1);
    const feeds2 = {
      input_4: Tensor.float32(
        [1, 1, block],
        Float32Array.from(re, (v) => v / block),
      ),
      input_5: two,
    };
    const found2 = await second.run(feeds2);
    two = found2.tf_op_layer_stack_5;
    const piece = found2.conv1d_3.floats();
    for (let k = 0; k < block; k++) output[at + k] += piece[k];
    see(feeds1, feeds2, step);
  }
  // A frame ends where its newest samples do: 384 samples of delay.
  return output.subarray(block - hop, samples.length);
}

/** Frames of Silero: 64 samples of context and 512 new ones, [steps, 576]. */
export function voiceFrames(samples) {
  const steps = Math.floor(samples.length / 512);
  const data = new Float32Array(steps * 576);
  for (let t = 0; t < steps; t++)
    for (let k = 0; k < 576; k++) {
      const at = t * 512 + k - 64;
      data[t * 576 + k] = at < 0 ? 0 : samples[at];
    }
  return Tensor.float32([steps, 576], data);
}
