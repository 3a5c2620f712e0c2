/** What the observers have in common that choose a range from one histogram of all that was seen. */
import type { Shape } from "../../tensor/inner.ts";
import type { Affine, GridChoice } from "../grids/range.ts";
import { GrowingHistogram, type Histogram } from "./growing-histogram.ts";
import { nothingSeen, type Observer, type Seen } from "./observer.ts";
import type { Ends } from "./useful-range.ts";

export abstract class HistogramObserver implements Observer {
  /** All that was seen. */
  readonly seen = new GrowingHistogram();

  see(values: Float32Array, _shape?: Shape, ends?: Ends): void {
    if (ends) this.seen.reach(ends);
    this.seen.see(values);
  }

  statistics(): Seen {
    return this.seen.statistics();
  }

  propose(choice: GridChoice, useful?: Ends): Affine {
    if (this.seen.count === 0) throw nothingSeen();
    return this.choose(choice, this.seen.histogram(useful));
  }

  /** Scale and offset for a histogram that is not empty. */
  protected abstract choose(choice: GridChoice, histogram: Histogram): Affine;
}
