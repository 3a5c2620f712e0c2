/** Inputs that are no data: waves and noise with the mean, deviation and ends that are known of an input. */
import { Random } from "../base/inner.ts";
import { type Dataset, fromIterable } from "../data/inner.ts";
import { type Model, staticShape, type TensorType } from "../ir/inner.ts";
import type { Expectation } from "../methods/inner.ts";
import { type Feeds, sizeOf, Tensor } from "../tensor/inner.ts";
import { knownInputs } from "./known-inputs.ts";
import type { Quantized } from "./quantized.ts";
import type { Recipe } from "./schema.ts";

/**
 * So many samples of noise within the range that is known of the inputs, for what must be measured on something: kernels,
 * latency, the noise of values. They are no data, and no decision on them means anything. Undefined where an input has no
 * static shape, is not float32, or where nothing is known of it.
 */
export function noiseData({ prepared, shapes }: Quantized, recipe: Recipe, count: number): Dataset | undefined {
  const known = knownInputs(prepared, recipe);
  const feeds = (seed: number) => noiseFeeds(prepared, shapes, known, seed);
  if (!feeds(0)) return undefined;
  const all = function* () {
    for (let seed = 0; seed < count; seed++) yield feeds(seed)!;
  };
  return fromIterable(all, { source: "noise within the range of the inputs" });
}

/** One feed of a model; undefined where an input is not of floats, or nothing is known of it. The same for a seed. */
export function noiseFeeds(
  model: Model,
  shapes: ReadonlyMap<string, TensorType>,
  known: ReadonlyMap<string, Expectation>,
  seed: number,
): Feeds | undefined {
  const random = new Random(seed);
  const feeds: Record<string, Tensor> = {};
  for (const { name, initializer } of model.graph.inputs) {
    if (initializer) continue;
    const type = shapes.get(name);
    const expected = known.get(name);
    const shape = staticShape(type);
    if (type?.dtype !== "float32" || !shape || !expected) return undefined;
    feeds[name] = Tensor.float32(shape, noise(shape, expected, random));
  }
  return feeds;
}

/** Natural signals are smooth: three waves of random direction for each channel carry most of the energy. */
function noise(shape: readonly number[], expected: Expectation, random: Random): Float32Array {
  const { axis, mean, variance, low, high } = expected;
  const channelAxis = axis ?? 1;
  const channels = shape[channelAxis] ?? 1;
  const steps = shape.map((_, i) => sizeOf(shape.slice(i + 1)));
  const waves = Array.from({ length: channels * 3 }, () => ({
    slopes: shape.map((length) => (2 * Math.PI * 4 * (random.uniform() - 0.5)) / length),
    phase: 2 * Math.PI * random.uniform(),
  }));
  return Float32Array.from({ length: sizeOf(shape) }, (_, i) => {
    const at = (d: number) => Math.floor(i / steps[d]!) % shape[d]!;
    const c = channelAxis < shape.length ? at(channelAxis) : 0;
    let sum = 0;
    for (let w = 0; w < 3; w++) {
      const { slopes, phase } = waves[c * 3 + w]!;
      sum += Math.sin(phase + slopes.reduce((angle, slope, d) => angle + (d === channelAxis ? 0 : slope * at(d)), 0));
    }
    // Three sines and one uniform number: together about one deviation.
    const z = 0.75 * sum + 0.7 * (2 * random.uniform() - 1);
    const of = (values: ArrayLike<number>) => values[values.length === 1 ? 0 : c]!;
    return Math.min(Math.max(of(mean) + z * Math.sqrt(of(variance)), of(low)), of(high));
  });
}
