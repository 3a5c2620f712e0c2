/** The weights of traced layers as equalization sees them: one entry for each pair of connected channels. */

import { channelsOf } from "../../facts/inner.ts";
import { pairLayouts } from "../../quant/inner.ts";
import { elementsOf } from "../../tensor/inner.ts";
import type { PreparationContext } from "../method.ts";
import type { LayerStrengths } from "./math.ts";
import type { Couples, NoisyLayer } from "./noise-scales.ts";
import type { Observed } from "./observe.ts";
import type { Trace, TracedLayer } from "./trace-groups.ts";

interface Pairs {
  readonly largest: Float64Array;
  readonly energy: Float64Array;
  readonly output: Int32Array;
  readonly input: Int32Array;
  readonly kernel: number;
}

/** Every weight is [channels, channels, kernel…]: neighbouring elements belong to one pair. */
function pairsOf({ layer }: TracedLayer): Pairs {
  const { output, input } = channelsOf(layer);
  const elements = elementsOf(layer.weight.tensor);
  const kernel = layer.weight.tensor.shape.slice(2).reduce((a, b) => a * b, 1);
  const largest = new Float64Array(elements.length / kernel);
  const energy = new Float64Array(elements.length / kernel);
  for (let i = 0; i < elements.length; i++) {
    const pair = Math.floor(i / kernel);
    const w = elements[i]!;
    largest[pair] = Math.max(largest[pair]!, Math.abs(w));
    energy[pair]! += w * w;
  }
  return {
    largest,
    energy,
    output: Int32Array.from(largest, (_, pair) => output(pair * kernel)),
    input: Int32Array.from(largest, (_, pair) => input(pair * kernel)),
    kernel,
  };
}

export function strengthsOf({ layers, groups }: Trace): LayerStrengths[] {
  return layers.map((traced) => {
    const { largest, output, input } = pairsOf(traced);
    return {
      largest,
      output: output.map((o) => groups.root(traced.outputs[o]!)),
      input: input.map((c) => groups.root(traced.inputs[c]!)),
    };
  });
}

/** The layers with what was seen at their inputs and outputs. */
export function noisyLayers({ layers, groups }: Trace, seen: Observed, context: PreparationContext): NoisyLayer[] {
  return layers.map((traced) => {
    const { node } = traced.layer;
    const x = seen.channels.get(node.input(0)!.name)!;
    return {
      ...pairsOf(traced),
      outputGroups: traced.outputs.map((id) => groups.root(id)),
      inputGroups: traced.inputs.map((id) => groups.root(id)),
      meanSquare: x.meanSquare,
      peak: x.peak,
      power: seen.power.get(node.output.name)!,
      perChannel: hasOwnGrids(node.op, context),
      couples: context.target?.pairSafeWeights ? couplesOf(traced) : undefined,
    };
  });
}

/**
 * Of the neighbours of one sign between an output channel and the same two input channels, those with the largest sum;
 * which positions of a kernel these are may change with the scales, which is neglected.
 */
function couplesOf({ layer }: TracedLayer): Couples {
  const channels = channelsOf(layer);
  const elements = elementsOf(layer.weight.tensor);
  const found = new Map<number, { i: number; j: number; sum: number }>();
  for (const { channels: count, orders } of pairLayouts(layer.weight.value)) {
    for (const order of orders) {
      for (let channel = 0; channel < count; channel++) {
        const places = order(channel);
        for (let t = 0; t + 1 < places.length; t += 2) {
          const [i, j] = [places[t]!, places[t + 1]!];
          const [a, b] = [elements[i]!, elements[j]!];
          if (a * b <= 0) continue;
          const key =
            (channels.output(i) * layer.axes.inputs + channels.input(i)) * layer.axes.inputs + channels.input(j);
          const sum = Math.abs(a + b);
          if (sum > (found.get(key)?.sum ?? 0)) found.set(key, { i, j, sum });
        }
      }
    }
  }
  const all = [...found.values()];
  return {
    output: Int32Array.from(all, ({ i }) => channels.output(i)),
    first: Int32Array.from(all, ({ i }) => channels.input(i)),
    second: Int32Array.from(all, ({ j }) => channels.input(j)),
    firstSize: Float64Array.from(all, ({ i }) => Math.abs(elements[i]!)),
    secondSize: Float64Array.from(all, ({ j }) => Math.abs(elements[j]!)),
  };
}

/** Whether each output channel will have a scale of its own; blocks are finer still. */
function hasOwnGrids(op: string, { granularity, target }: PreparationContext): boolean {
  if (granularity !== undefined) return granularity !== "tensor";
  return target?.operators.get(op)?.perChannel ?? target?.perChannel ?? false;
}
