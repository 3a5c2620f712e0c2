/**
 * The range of least error where it matters: at the outputs of the layers that read the value. Channels are sorted into
 * a few groups by how much their errors are amplified there, and the search weighs the groups' counts.
 */
import type { Shape } from "../../tensor/inner.ts";
import type { Affine, GridChoice } from "../grids/range.ts";
import { GrowingHistogram, type Weight } from "./growing-histogram.ts";
import { nothingSeen, type Observer, type Seen } from "./observer.ts";
import type { Gains } from "./output-gain.ts";
import { leastErrorRange } from "./squared-error.ts";
import type { Ends } from "./useful-range.ts";

/** Gains within this factor share a group. */
const groupFactor = 2 ** 1.5;
/** Channels below the last group's gain weigh so little that they may as well share it. */
const lastGroup = 5;

export class OutputErrorObserver implements Observer {
  readonly #channels: number;
  /** One for each group: the mean squared gain of its channels. */
  readonly #weights: readonly Weight[];
  readonly #seen: GrowingHistogram;

  constructor(gains: Gains) {
    const groups = groupsOf(gains);
    const groupOf = new Uint8Array(gains.above.length);
    groups.forEach((channels, group) => {
      for (const channel of channels) groupOf[channel] = group;
    });
    this.#channels = groupOf.length;
    this.#weights = groups.map((channels) => ({
      above: mean(gains.above, channels),
      below: mean(gains.below, channels),
    }));
    this.#seen = new GrowingHistogram(groupOf);
  }

  see(values: Float32Array, shape: Shape = [], ends?: Ends): void {
    if (ends) this.#seen.reach(ends);
    // Without the layout that the gains were made for, everything counts as the first group.
    const known = shape[1] === this.#channels && this.#weights.length > 1;
    this.#seen.see(values, known ? values.length / (shape[0]! * this.#channels) : undefined);
  }

  statistics(): Seen {
    return this.#seen.statistics();
  }

  propose(choice: GridChoice, useful?: Ends): Affine {
    if (this.#seen.count === 0) throw nothingSeen();
    return leastErrorRange(this.#seen.histogram(undefined, this.#weights), choice, useful);
  }
}

/** The channels of each group, from the largest gain down. */
function groupsOf({ above, below }: Gains): number[][] {
  const largest = Array.from(above, (gain, c) => Math.max(gain, below[c]!));
  const top = Math.max(...largest);
  const members: number[][] = Array.from({ length: lastGroup + 1 }, () => []);
  largest.forEach((gain, channel) => {
    const steps = gain > 0 ? Math.floor(Math.log(top / gain) / Math.log(groupFactor)) : lastGroup;
    members[Math.min(steps, lastGroup)]!.push(channel);
  });
  return members.filter((channels) => channels.length > 0);
}

function mean(gains: Float64Array, channels: readonly number[]): number {
  return channels.reduce((sum, c) => sum + gains[c]!, 0) / channels.length;
}
