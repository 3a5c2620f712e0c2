/** Splits of pictures, each from its own seeds: rendered when they are asked for, never stored. */
import { Random, Tensor } from "avocet";
import { classNames } from "./objects.mjs";
import { renderPicture, side } from "./render.mjs";

/** First seed of each split; a split may have up to a hundred million pictures before it meets the next one. */
const firstSeed = { train: 100_000_000, calibration: 200_000_000, test: 300_000_000 };

/** @typedef {keyof typeof firstSeed} Split */

/**
 * The labels of the first `count` pictures of a split. Every twelve pictures in a row hold each class once, in random
 * order, so that any stretch is balanced and no regular choice of samples falls on one class.
 * @param {Split} split @param {number} count
 */
export function pictureLabels(split, count) {
  const labels = new Uint8Array(count);
  for (let first = 0; first < count; first += classNames.length) {
    const order = new Random(firstSeed[split] + first).permutation(classNames.length);
    for (let i = first; i < Math.min(count, first + classNames.length); i++) {
      labels[i] = order[i - first];
    }
  }
  return labels;
}

/**
 * The first `count` pictures of a split, one after the other.
 * @param {Split} split @param {number} count
 * @returns {Generator<{ index: number, label: number, pixels: Uint8Array }>}
 */
export function* pictures(split, count) {
  for (const [index, label] of pictureLabels(split, count).entries()) {
    yield { index, label, pixels: renderPicture(label, firstSeed[split] + index) };
  }
}

/**
 * The same pictures as the network takes them, one a step: `image` [1, 3, side, side], channels first, each number
 * (x / 255 − 0.5) / 0.25 (what `preprocess` of network.mjs says to the command line).
 * @param {Split} split @param {number} count
 */
export function* networkInputs(split, count) {
  const area = side * side;
  for (const { pixels } of pictures(split, count)) {
    const values = new Float32Array(3 * area);
    for (let i = 0; i < area; i++) {
      for (let k = 0; k < 3; k++) values[k * area + i] = (pixels[i * 3 + k] / 255 - 0.5) / 0.25;
    }
    yield { image: Tensor.float32([1, 3, side, side], values) };
  }
}
