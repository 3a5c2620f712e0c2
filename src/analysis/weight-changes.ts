/** What a preparation, a method or a training did to the weights of each layer: the same statistics before and after. */
import type { Model } from "../ir/inner.ts";
import { type ChannelWeights, type WeightRanges, weightRanges } from "./weight-ranges.ts";

/** Channels of a layer that are kept; AIMET draws as many. */
export const comparedChannels = 50;

/** A layer's weights at one of the two times. */
export interface WeightSide {
  readonly shape: readonly number[];
  readonly min: number;
  readonly max: number;
  /** How many times as wide as the narrowest channel the widest one is. */
  readonly spread: number;
  /** Channels beyond Q3 + 1.5 · IQR of the layer's ranges. */
  readonly outliers: readonly number[];
  /**
   * At most `comparedChannels`: where both times have as many channels, the same ones, which are the widest before, in that order; else each
   * time's own widest.
   */
  readonly channels: readonly ChannelWeights[];
}

export interface WeightChange {
  readonly layer: string;
  readonly op: string;
  /** Output channels before and after. */
  readonly count: readonly [before: number, after: number];
  readonly before: WeightSide;
  readonly after: WeightSide;
}

/**
 * Of the layers of both models, matched by their names, whose statistics differ by more than rounding to float32 explains (1e-6 of the
 * layer's largest weight); those whose spread changed most come first.
 */
export function weightChanges(before: Model, after: Model): WeightChange[] {
  const others = new Map(weightRanges(after).map((one) => [one.layer, one]));
  const found = weightRanges(before).flatMap((one): WeightChange[] => {
    const other = others.get(one.layer);
    return other && differ(one, other) ? [changeOf(one, other)] : [];
  });
  const moved = ({ before, after }: WeightChange) => Math.abs(Math.log(ratio(before.spread, after.spread)));
  return found.sort((a, b) => moved(b) - moved(a));
}

const ratio = (a: number, b: number) => (a > 0 && b > 0 ? a / b : 1);

function changeOf(before: WeightRanges, after: WeightRanges): WeightChange {
  const drawn = widest(before.channels);
  const isSame = before.channels.length === after.channels.length;
  return {
    layer: before.layer,
    op: before.op,
    count: [before.channels.length, after.channels.length],
    before: sideOf(before, drawn),
    after: sideOf(after, isSame ? drawn.map(({ channel }) => after.channels[channel]!) : widest(after.channels)),
  };
}

function widest(channels: readonly ChannelWeights[]): ChannelWeights[] {
  return [...channels].sort((a, b) => b.relative - a.relative || a.channel - b.channel).slice(0, comparedChannels);
}

function sideOf({ shape, channels, outliers }: WeightRanges, drawn: readonly ChannelWeights[]): WeightSide {
  return {
    shape,
    min: Math.min(...channels.map(({ min }) => min)),
    max: Math.max(...channels.map(({ max }) => max)),
    spread: Math.max(...channels.map(({ relative }) => relative)),
    outliers,
    channels: drawn.map(rounded),
  };
}

/** To six digits: pictures need no more, and reports hold thousands of them. */
function rounded(one: ChannelWeights): ChannelWeights {
  const short = (value: number) => Number(value.toPrecision(6));
  const [q1, q2, q3] = one.quartiles;
  return {
    channel: one.channel,
    min: short(one.min),
    max: short(one.max),
    mean: short(one.mean),
    deviation: short(one.deviation),
    quartiles: [short(q1), short(q2), short(q3)],
    relative: short(one.relative),
  };
}

function differ(a: WeightRanges, b: WeightRanges): boolean {
  if (a.channels.length !== b.channels.length || a.shape.join() !== b.shape.join()) return true;
  const size = Math.max(...a.channels.map(({ min, max }) => Math.max(Math.abs(min), Math.abs(max))));
  return a.channels.some((own, c) => {
    const other = b.channels[c]!;
    const pairs = [
      [own.min, other.min],
      [own.max, other.max],
      [own.mean, other.mean],
      [own.deviation, other.deviation],
    ] as const;
    return pairs.some(([x, y]) => Math.abs(x - y) > 1e-6 * size);
  });
}
