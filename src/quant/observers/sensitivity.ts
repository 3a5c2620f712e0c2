/**
 * The range of least error at the outputs of the model: the squared error of each number counts by the square of the outputs'
 * slope there. It proposes; what was seen is what another observer saw.
 */
import type { Affine, GridChoice } from "../grids/range.ts";
import type { Histogram } from "./growing-histogram.ts";
import type { Observer, Seen } from "./observer.ts";
import { leastErrorRange } from "./squared-error.ts";
import type { Ends } from "./useful-range.ts";

const bins = 2048;

export class SensitivityObserver implements Observer {
  readonly #seen: Observer;
  readonly #counts = new Float64Array(bins + 1);
  readonly #min: number;
  readonly #max: number;
  /** The first bin starts at origin · width, so that zero is on an edge. */
  readonly #width: number;
  readonly #origin: number;

  /** Of an observer that has seen all numbers. */
  constructor(seen: Observer) {
    const { min, max } = seen.statistics();
    this.#seen = seen;
    [this.#min, this.#max] = [min, max];
    const reach = Math.max(max, 0) - Math.min(min, 0);
    this.#width = Math.max(reach, 1e-30) / (bins - 1);
    this.#origin = Math.floor(Math.min(min, 0) / this.#width);
  }

  /** Takes numbers and the slope of the outputs at each of them. */
  weigh(values: Float32Array, slopes: Float32Array): void {
    const counts = this.#counts;
    const inverse = 1 / this.#width;
    const origin = this.#origin;
    for (let i = 0; i < values.length; i++) {
      const x = values[i]!;
      const slope = slopes[i]!;
      // Zero is on every grid.
      if (x === 0 || slope === 0) continue;
      const bin = Math.floor(x * inverse) - origin;
      counts[bin < 0 ? 0 : bin > bins ? bins : bin]! += slope * slope;
    }
  }

  /** Whether any error weighs, and all weights are numbers. */
  get hasWeight(): boolean {
    const sum = this.#counts.reduce((a, b) => a + b, 0);
    return sum > 0 && Number.isFinite(sum);
  }

  see(): void {}

  statistics(): Seen {
    return this.#seen.statistics();
  }

  propose(choice: GridChoice, useful?: Ends): Affine {
    const all: Histogram = {
      left: this.#origin * this.#width,
      width: this.#width,
      counts: this.#counts,
      min: this.#min,
      max: this.#max,
      count: this.#seen.statistics().count,
      zeros: 0,
    };
    return leastErrorRange(all, choice, useful);
  }
}
