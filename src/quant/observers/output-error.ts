/**
 * The range of least error where it matters: at the outputs of the layers that read the value. Channels are sorted into
 * a few groups by how much their errors are amplified there, each group has a histogram, and the search weighs them.
 */
import type { Shape } from "../../tensor/index.ts";
import { binCount } from "../histogram-kernel.ts";
import type { Gains } from "../output-gain.ts";
import { type Affine, type GridChoice, stepsOf } from "../range.ts";
import { coarsen } from "../statistics.ts";
import type { Ends } from "../useful-range.ts";
import { Density } from "./density.ts";
import { GrowingHistogram, type Histogram } from "./growing-histogram.ts";
import { nothingSeen, type Observer, type Seen } from "./observer.ts";
import { searchRange } from "./range-search.ts";
import { sqnrClippingWeight } from "./squared-error.ts";

/** Gains within this factor share a group. */
const groupFactor = 2 ** 1.5;
/** Channels below the last group's gain weigh so little that they may as well share it. */
const mostGroups = 6;

interface Group {
  readonly channels: readonly number[];
  /** Mean squared gain of the channels, for numbers above and below zero. */
  readonly above: number;
  readonly below: number;
  readonly seen: GrowingHistogram;
}

export class OutputErrorObserver implements Observer {
  readonly #groups: readonly Group[];
  readonly #channels: number;

  constructor(gains: Gains) {
    this.#groups = groupsOf(gains);
    this.#channels = gains.above.length;
  }

  see(values: Float32Array, shape: Shape = []): void {
    // Without the layout that the gains were made for, all groups are one.
    if (shape[1] !== this.#channels || this.#groups.length === 1) {
      this.#groups[0]!.seen.see(values);
      return;
    }
    const samples = shape[0]!;
    const plane = values.length / (samples * this.#channels);
    for (const { channels, seen } of this.#groups) {
      const parts: Float32Array[] = [];
      for (let sample = 0; sample < samples; sample++) {
        for (const channel of channels) {
          const start = (sample * this.#channels + channel) * plane;
          parts.push(values.subarray(start, start + plane));
        }
      }
      seen.seeParts(parts);
    }
  }

  statistics(): Seen {
    const all = this.#merged(() => 1);
    return { min: all.min, max: all.max, count: all.count, histogram: coarsen(all) };
  }

  propose(choice: GridChoice, useful?: Ends): Affine {
    const weighted = this.#merged((group, isAbove) => (isAbove ? group.above : group.below), useful);
    if (weighted.count === 0) throw nothingSeen();
    const density = new Density(weighted);
    const steps = stepsOf(choice);
    return searchRange(density.min, density.max, choice, (candidate) =>
      density.squaredError(candidate, steps, sqnrClippingWeight),
    );
  }

  /** The groups' histograms on the widest of their bins, each count times its weight. */
  #merged(weight: (group: Group, isAbove: boolean) => number, useful?: Ends): Histogram {
    const parts = this.#groups
      .filter((group) => group.seen.count > 0)
      .map((group) => ({ group, histogram: group.seen.histogram(useful) }));
    const width = Math.max(0, ...parts.map((part) => part.histogram.width));
    const first = Math.min(...parts.map(({ histogram }) => Math.floor(histogram.left / width)));
    // Two histograms of the same width may lie on either side of zero.
    const counts = new Float64Array(2 * binCount);
    let zeros = 0;
    for (const { group, histogram } of parts) {
      const { left, width: own } = histogram;
      const factor = width / own;
      const origin = Math.round(left / own);
      for (let i = 0; i < binCount; i++) {
        const count = histogram.counts[i]!;
        if (count > 0) counts[Math.floor((origin + i) / factor) - first]! += count * weight(group, origin + i >= 0);
      }
      zeros += histogram.zeros * weight(group, true);
    }
    return {
      left: parts.length === 0 ? 0 : first * width,
      width,
      counts,
      min: Math.min(...parts.map((part) => part.histogram.min)),
      max: Math.max(...parts.map((part) => part.histogram.max)),
      count: parts.reduce((sum, part) => sum + part.histogram.count, 0),
      zeros,
    };
  }
}

function groupsOf({ above, below }: Gains): Group[] {
  const largest = above.map((gain, c) => Math.max(gain, below[c]!));
  const top = Math.max(...largest);
  const members = new Map<number, number[]>();
  largest.forEach((gain, channel) => {
    const steps = gain > 0 ? Math.floor(Math.log(top / gain) / Math.log(groupFactor)) : mostGroups;
    const group = Math.min(steps, mostGroups - 1);
    members.set(group, [...(members.get(group) ?? []), channel]);
  });
  return [...members.values()].map((channels) => ({
    channels,
    above: mean(above, channels),
    below: mean(below, channels),
    seen: new GrowingHistogram(),
  }));
}

function mean(gains: Float64Array, channels: readonly number[]): number {
  return channels.reduce((sum, c) => sum + gains[c]!, 0) / channels.length;
}
