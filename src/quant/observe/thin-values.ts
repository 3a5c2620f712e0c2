/**
 * Large values are looked at through a sample: their ends exactly, reduced in the graph, and some thousand numbers of each sample of the
 * data for the histogram. Copying a network's values out of the runtime and counting them costs several times what computing them costs.
 */
import { Random } from "../../base/inner.ts";
import type { Dataset } from "../../data/inner.ts";
import type { Model, TensorType } from "../../ir/inner.ts";
import {
  batchForBytes,
  firstSample,
  leastStridedOpset,
  overall,
  type Reduction,
  type Stride,
  StridedSamples,
  strideOf,
} from "../../runtime/inner.ts";
import { type Feeds, type Shape, sizeOf, type Tensor } from "../../tensor/inner.ts";
import { notFinite } from "../observers/observer.ts";
import type { Ends } from "../observers/useful-range.ts";

/** Numbers of a value that all data together should give its histogram, and how many one sample gives at least and at most. */
const enough = 2 ** 20;
const [least, most] = [2 ** 14, 2 ** 16];

/** How many numbers of a value one of `count` samples gives. */
export function numbersPerSample(count: number | null): number {
  return count === null ? least : Math.min(Math.max(Math.ceil(enough / count), least), most);
}

/** Minimum, maximum and sum: the first two lose NaN inside ONNX Runtime; the sum does not. */
export const exactEnds: Reduction = overall("ReduceMin", "ReduceMax", "ReduceSum");

/** The ends of what `exactEnds` reduced; null of a value without elements. Throws `data/not-finite`. */
export function endsOf(reduced: readonly Tensor[]): Ends | null {
  const [min, max, sum] = reduced.map((tensor) => tensor.floats()[0]!) as [number, number, number];
  // An empty value reduces to +∞ … −∞.
  if (min > max && !Number.isNaN(sum)) return null;
  if (Number.isNaN(sum) || !Number.isFinite(min) || !Number.isFinite(max)) throw notFinite();
  return [min, max];
}

export interface Thinned {
  /** `exactEnds`, and the sample behind them, of each value that is looked at through one. */
  readonly reductions: ReadonlyMap<string, Reduction>;
  readonly starts: () => Feeds;
}

/**
 * The values that are looked at through samples, of those of these types. `keepsChannels` says of which values axis 1 must stay whole,
 * because errors count by channel there.
 */
export function thinned(
  model: Model,
  names: readonly string[],
  types: ReadonlyMap<string, TensorType>,
  count: number | null,
  keepsChannels: (name: string) => boolean,
): Thinned {
  const samples = new StridedSamples(new Random(0).fork("observed numbers"));
  const strides = new Map<string, Stride>();
  for (const name of model.opset < leastStridedOpset ? [] : names) {
    const type = types.get(name);
    // Not all reductions take other floats.
    if (type?.dtype !== "float32" || !type.shape) continue;
    const stride = strideOf(type.shape as Shape, numbersPerSample(count), keepsChannels(name) ? 2 : 1);
    if (stride) strides.set(name, stride);
  }
  const reductionOf =
    (stride: Stride): Reduction =>
    (graph, value, opset) => [...exactEnds(graph, value, opset), ...samples.add(graph, [value], stride)];
  return {
    reductions: new Map([...strides].map(([name, stride]) => [name, reductionOf(stride)])),
    starts: () => samples.next(),
  };
}

/** Samples a run: as many as if all these values crossed whole, so that what a run computes stays in the caches as well. */
export async function batchOfWhole(
  model: Model,
  names: readonly string[],
  types: ReadonlyMap<string, TensorType>,
  data: Dataset,
  signal: AbortSignal | undefined,
): Promise<number> {
  const bytes = names.reduce((sum, name) => sum + 4 * sizeOf((types.get(name)?.shape ?? []) as Shape), 0);
  return batchForBytes(model, await firstSample(data, signal), bytes);
}
