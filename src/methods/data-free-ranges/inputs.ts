/** What is known of a model's input without seeing any: the range of pixels, after preprocessing. */
import { AvocetError } from "../../base/inner.ts";
import { inputChannels, type Preprocess, valueMap } from "../../data/inner.ts";
import { type Expectation, normal } from "../expectations/expectation.ts";

/** Numbers for all channels alike, or one per channel. */
export interface InputKnowledge {
  readonly low: number | readonly number[];
  readonly high: number | readonly number[];
  /** Default: the middle of the range. */
  readonly mean?: number | readonly number[];
  /** Default: that of numbers spread evenly over the range. */
  readonly deviation?: number | readonly number[];
  /** The axis of the channels, where there are several numbers. Default 1. */
  readonly axis?: number;
}

/** The expectation of an input. Throws `usage/bad-value` for ranges that are empty or not finite. */
export function inputExpectation(knowledge: InputKnowledge, at = "input"): Expectation {
  const { low, high, axis = 1 } = knowledge;
  const count = Math.max(1, ...[low, high, knowledge.mean, knowledge.deviation].map((given) => [given].flat().length));
  const each = (given: number | readonly number[], c: number) => (typeof given === "number" ? given : given[c]!);
  const all = (of: (c: number) => number) => Float64Array.from({ length: count }, (_, c) => of(c));
  const [from, to] = [all((c) => each(low, c)), all((c) => each(high, c))];
  const wrong = from.findIndex((value, c) => !(Number.isFinite(value) && Number.isFinite(to[c]!) && value <= to[c]!));
  if (wrong >= 0) {
    throw new AvocetError("usage/bad-value", `expected a range of finite numbers, got ${from[wrong]} … ${to[wrong]}`, {
      at,
      hint: "give the least and the largest number that the input can hold",
    });
  }
  const { mean, deviation } = knowledge;
  const centre = all((c) => (mean === undefined ? (from[c]! + to[c]!) / 2 : each(mean, c)));
  const spread = all((c) => (deviation === undefined ? (to[c]! - from[c]!) / Math.sqrt(12) : each(deviation, c)));
  return normal(count === 1 ? null : axis, centre, spread, { low: from, high: to }, "input");
}

/** Mean and deviation of ImageNet's pixels, 0 … 255: what images of the world are like. */
const imageNet = { mean: [123.7, 116.3, 103.5], deviation: [58.4, 57.1, 57.4] };

/** What preprocessing makes of pixels from 0 to 255. */
export function imageInput(preprocess: Preprocess): InputKnowledge {
  const channels = inputChannels(preprocess.color);
  const order = preprocess.color === "bgr" ? [2, 1, 0] : channels === 1 ? [1] : [0, 1, 2];
  const maps = order.map((_, c) => valueMap(preprocess, c));
  const at = (pixels: readonly number[]) => maps.map((map, i) => map(pixels[order[i]!]!) + 0);
  const [dark, light, mean] = [at([0, 0, 0]), at([255, 255, 255]), at(imageNet.mean)];
  const beyond = at(imageNet.mean.map((m, c) => m + imageNet.deviation[c]!));
  return {
    low: dark.map((value, c) => Math.min(value, light[c]!)),
    high: dark.map((value, c) => Math.max(value, light[c]!)),
    mean,
    deviation: beyond.map((value, c) => Math.abs(value - mean[c]!)),
    axis: preprocess.layout === "nchw" ? 1 : 3,
  };
}
