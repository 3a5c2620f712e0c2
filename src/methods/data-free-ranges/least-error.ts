/**
 * The range of least error that needs no data: the distribution that is expected of a value takes the place of the histogram of
 * calibration (ACIQ does so for one distribution: Banner et al., "Post-training 4-bit quantization", 2019, section 3), channel by
 * channel, each weighed by the layers that read it. How many deviations are kept follows from the width of the grid.
 */
import {
  type Affine,
  type Gains,
  type GridChoice,
  type Histogram,
  leastErrorRange,
  type Observer,
} from "../../quant/inner.ts";
import { type Expectation, least, most } from "../expectations/expectation.ts";

const bins = 1024;
/** Deviations beyond which nothing is counted: a share of 1e-8. */
const farthest = 10;

/**
 * The share below so many deviations. Activations have heavier tails than normal numbers: behind the batch norms of four networks
 * the shares beyond 3 to 8 deviations fall by the same factor with each (docs/methods/bias-correction.md), as a logistic
 * distribution's do.
 */
export function logistic(z: number): number {
  return 1 / (1 + Math.exp((-Math.PI / Math.sqrt(3)) * z));
}

export class LeastErrorObserver implements Observer {
  readonly #x: Expectation;
  readonly #reached: number;
  readonly #gains: Gains | null;

  /** `reached`: how many deviations the ends of what is expected stand for. Without `gains` channels count alike. */
  constructor(x: Expectation, reached: number, gains: Gains | null) {
    this.#x = x;
    this.#reached = reached;
    this.#gains = x.axis === 1 && gains?.above.length === x.mean.length ? gains : null;
  }

  see(): void {}

  statistics(): ReturnType<Observer["statistics"]> {
    return { min: least(this.#x.low), max: most(this.#x.high), count: 0, histogram: null };
  }

  propose(choice: GridChoice, useful?: readonly [number, number]): Affine {
    return leastErrorRange(this.#counted(), choice, useful);
  }

  /** Each channel counts its gain, spread over the bins. */
  #counted(): Histogram {
    const channels = Array.from(this.#x.mean, (_, c) => this.#channel(c));
    const min = Math.min(0, ...channels.map(({ low }) => low));
    const max = Math.max(0, ...channels.map(({ high }) => high));
    const width = Math.max(max - min, 1e-30) / (bins - 1);
    const origin = Math.floor(min / width);
    const counts = new Float64Array(bins + 1);
    let zeros = 0;
    channels.forEach(({ low, high, below }, c) => {
      const above = this.#gains?.above[c] ?? 1;
      const under = this.#gains?.below[c] ?? 1;
      // What a bound cuts off stands at the bound; at zero it is exact on every grid.
      if (low === 0) zeros += above * below(0);
      let before = 0;
      for (let i = 0; i <= bins; i++) {
        const edge = (origin + i + 1) * width;
        const now = i === bins || edge >= high ? 1 : edge < low ? 0 : below(edge);
        counts[i]! += (now - before) * (origin + i < 0 ? under : above);
        before = now;
      }
    });
    return { left: origin * width, width, counts, min, max, count: channels.length, zeros };
  }

  /** Where a channel's numbers lie, and the share below a number. */
  #channel(c: number) {
    const { centre, deviation, from, to, low, high } = this.#x;
    const middle = centre[c]!;
    // Ends that were carried through sums may lie farther out than the deviation says; those at a bound say nothing.
    const beyond = (end: number, bound: number) => (end === bound ? 0 : Math.abs(end - middle) / this.#reached);
    const up = Math.max(deviation[c]!, beyond(high[c]!, to[c]!));
    const down = Math.max(deviation[c]!, beyond(low[c]!, from[c]!));
    const inside = (value: number) => Math.min(Math.max(value, from[c]!), to[c]!);
    return {
      low: inside(middle - farthest * down),
      high: inside(middle + farthest * up),
      below: (value: number) => {
        const spread = value > middle ? up : down;
        return spread > 0 ? logistic((value - middle) / spread) : value < middle ? 0 : 1;
      },
    };
  }
}
