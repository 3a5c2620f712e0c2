/** What equalization wants to know of the data: power and peak of every channel that a layer reads, peaks before clips. */
import { isOp } from "../../facts/inner.ts";
import type { Model, TensorType, Value } from "../../ir/inner.ts";
import { alongAxis, openTaps, overall, type Reduction } from "../../runtime/inner.ts";
import type { PreparationContext } from "../method.ts";
import type { Trace } from "./trace-groups.ts";

/** Of each channel of a value: mean square, largest magnitude, largest number. */
export interface ChannelPower {
  readonly meanSquare: Float64Array;
  readonly peak: Float64Array;
  readonly max: Float64Array;
}

export interface Observed {
  /** By value name: the inputs of layers and of clips. */
  readonly channels: ReadonlyMap<string, ChannelPower>;
  /** By value name: mean square of a layer's output, summed over its channels. */
  readonly power: ReadonlyMap<string, number>;
}

interface Sums {
  readonly axis: number;
  readonly square: Float64Array;
  readonly min: Float64Array;
  readonly max: Float64Array;
  /** Elements of a channel in one sample. */
  readonly places: number;
}

/** One pass over the data. Values whose channels are not where layers read them are left out. */
export async function observeChannels(
  model: Model,
  { layers, clips }: Trace,
  shapes: ReadonlyMap<string, TensorType>,
  context: PreparationContext & { readonly data: NonNullable<PreparationContext["data"]> },
): Promise<Observed> {
  const sums = new Map<string, Sums>();
  const outputs = new Map<string, { sum: number; places: number }>();
  const watch = (value: Value, axis: number) => {
    const lengths = shapes.get(value.name)?.shape as readonly number[];
    const count = lengths[axis]!;
    sums.set(value.name, {
      axis,
      square: new Float64Array(count),
      min: new Float64Array(count).fill(Number.POSITIVE_INFINITY),
      max: new Float64Array(count).fill(Number.NEGATIVE_INFINITY),
      places: lengths.reduce((a, b) => a * b, 1) / count,
    });
  };
  for (const { layer } of layers) {
    const lengths = shapes.get(layer.node.input(0)!.name)!.shape!;
    watch(layer.node.input(0)!, isOp(layer.node, "MatMul") ? lengths.length - 1 : 1);
    const made = shapes.get(layer.node.output.name)!.shape as readonly number[];
    outputs.set(layer.node.output.name, { sum: 0, places: made.reduce((a, b) => a * b, 1) / layer.axes.outputs });
  }
  for (const { node, layout } of clips) {
    const axis = layout.dims.findIndex((d) => d !== 1);
    if (axis >= 0 && layout.dims.every((d, a) => d === 1 || a === axis)) watch(node.input(0)!, axis);
  }
  const reductions = new Map<string, Reduction>();
  for (const [name, { axis }] of sums) {
    const rank = shapes.get(name)!.shape!.length;
    reductions.set(name, alongAxis(axis, rank, "ReduceSumSquare", "ReduceMin", "ReduceMax"));
  }
  for (const name of outputs.keys()) if (!reductions.has(name)) reductions.set(name, overall("ReduceSumSquare"));
  // Without layers there is nothing to look at, and no graph to run.
  if (reductions.size === 0) return { channels: new Map(), power: new Map() };
  const { signal, onProgress, batch } = context;
  await using taps = await openTaps(model, context.runtime, { reductions });
  let samples = 0;
  const options = { step: "equalize", signal, onProgress, ...(batch ? { batch } : {}) };
  for await (const { reduced, size } of taps.stream(context.data, options)) {
    samples += size;
    for (const [name, tensors] of reduced) {
      const [square, min, max] = tensors.map((tensor) => tensor.floats());
      const output = outputs.get(name);
      if (output) output.sum += square!.reduce((a, b) => a + b, 0);
      const sum = sums.get(name);
      if (!sum || !min || !max) continue;
      for (let c = 0; c < sum.square.length; c++) {
        sum.square[c]! += square![c]!;
        sum.min[c] = Math.min(sum.min[c]!, min[c]!);
        sum.max[c] = Math.max(sum.max[c]!, max[c]!);
      }
    }
  }
  const channels = new Map<string, ChannelPower>();
  for (const [name, { square, min, max, places }] of sums) {
    channels.set(name, {
      meanSquare: square.map((s) => s / (samples * places)),
      peak: max.map((x, c) => Math.max(0, x, -min[c]!)),
      max,
    });
  }
  return {
    channels,
    power: new Map([...outputs].map(([name, { sum, places }]) => [name, sum / (samples * places)])),
  };
}
