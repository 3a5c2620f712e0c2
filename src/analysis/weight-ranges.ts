/** How widely the weights of each channel spread: channels that differ much share a scale badly, and are what equalization is for. */
import { isRefused } from "../base/inner.ts";
import { channelsOf, type Layer, layersOf } from "../facts/inner.ts";
import type { Model } from "../ir/inner.ts";
import { elementsOf } from "../tensor/inner.ts";

export interface ChannelWeights {
  readonly channel: number;
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly deviation: number;
  /** A quarter, half, three quarters of the weights are at most this. */
  readonly quartiles: readonly [number, number, number];
  /** max − min, as a multiple of that of the narrowest channel of the layer; 0 where all weights are equal. */
  readonly relative: number;
}

export interface WeightRanges {
  readonly layer: string;
  readonly op: string;
  readonly shape: readonly number[];
  /** Of output channels, in their order. */
  readonly channels: readonly ChannelWeights[];
  /** Channels whose relative range is above Q3 + 1.5 · IQR of the layer's. */
  readonly outliers: readonly number[];
}

/** Of every layer of the main graph with a constant weight. */
export function weightRanges(model: Model): WeightRanges[] {
  const seen = new Set<unknown>();
  return layersOf(model.graph).flatMap((layer) => {
    const { node, weight, axes } = layer;
    if (isRefused(axes) || seen.has(weight.tensor)) return [];
    seen.add(weight.tensor);
    const channels = channelsWithin({ weight, axes });
    const relative = channels.map((one) => one.relative).sort((a, b) => a - b);
    const [q1, , q3] = quartilesOf(relative);
    const limit = q3 + 1.5 * (q3 - q1);
    return [
      {
        layer: node.name || node.output.name,
        op: node.op,
        shape: weight.tensor.shape,
        channels,
        outliers: channels.filter((one) => one.relative > limit).map(({ channel }) => channel),
      },
    ];
  });
}

function channelsWithin({
  weight,
  axes,
}: Pick<Layer, "weight"> & { readonly axes: Exclude<Layer["axes"], { refused: string }> }) {
  const { output } = channelsOf({ weight, axes });
  const values: number[][] = Array.from({ length: axes.outputs }, () => []);
  const elements = elementsOf(weight.tensor);
  for (let i = 0; i < elements.length; i++) values[output(i)]!.push(elements[i]!);
  const found = values.map((own, channel) =>
    statistics(
      own.sort((a, b) => a - b),
      channel,
    ),
  );
  const narrowest = Math.min(...found.map(({ min, max }) => max - min).filter((range) => range > 0));
  return found.map((one) => ({ ...one, relative: one.max > one.min ? (one.max - one.min) / narrowest : 0 }));
}

function statistics(sorted: readonly number[], channel: number) {
  const count = Math.max(sorted.length, 1);
  const mean = sorted.reduce((sum, w) => sum + w, 0) / count;
  const deviation = Math.sqrt(sorted.reduce((sum, w) => sum + (w - mean) ** 2, 0) / count);
  return { channel, min: sorted[0] ?? 0, max: sorted.at(-1) ?? 0, mean, deviation, quartiles: quartilesOf(sorted) };
}

/** With linear interpolation between neighbours, as numpy does it. */
function quartilesOf(sorted: readonly number[]): [number, number, number] {
  const at = (share: number) => {
    const place = share * (sorted.length - 1);
    const [low, high] = [sorted[Math.floor(place)] ?? 0, sorted[Math.ceil(place)] ?? 0];
    return low + (high - low) * (place - Math.floor(place));
  };
  return [at(0.25), at(0.5), at(0.75)];
}
