/** Min-max: the grid covers everything that was seen. */

import { type Affine, affineOfRange, type GridChoice } from "../grids/range.ts";
import { kernel } from "./histogram-kernel.ts";
import { notFinite, nothingSeen, type Observer, type Seen } from "./observer.ts";

export class MinMaxObserver implements Observer {
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;
  #count = 0;

  see(values: Float32Array): void {
    const { min, max, finite } = kernel().range(values);
    if (!finite) throw notFinite();
    this.seeRange(min, max, values.length);
  }

  /** Takes the range of `count` samples that was reduced elsewhere. */
  seeRange(min: number, max: number, count: number): void {
    this.#count += count;
    this.#min = Math.min(this.#min, min);
    this.#max = Math.max(this.#max, max);
  }

  statistics(): Seen {
    return { min: this.#min, max: this.#max, count: this.#count, histogram: null };
  }

  propose(choice: GridChoice): Affine {
    if (this.#min > this.#max) throw nothingSeen();
    return affineOfRange(this.#min, this.#max, choice);
  }
}
