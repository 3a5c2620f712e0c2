/** Observers that have seen no data: their numbers come from what is expected of a value. */
import {
  type Affine,
  affineOfRange,
  type Gains,
  type GridChoice,
  makeObserver,
  type Observer,
  type Scheme,
} from "../../quant/inner.ts";
import { type Expectation, least, most } from "../expectations/expectation.ts";
import { quantiles } from "../expectations/normal.ts";
import { LeastErrorObserver } from "./least-error.ts";

/**
 * How ranges follow from distributions: by least error where it matters, so many deviations as in DFQ, or a calibration scheme
 * that sees quantiles of normal distributions.
 */
export type RangeChoice = "least-error" | "deviations" | Scheme;

/** Numbers per channel that a scheme sees: up to 3.5 deviations. */
const samples = quantiles(2047);

/** `deviations`: how many of them the ends of what is expected stand for. `gains`: how much errors of its channels weigh. */
export function expectedObserver(
  x: Expectation,
  choice: RangeChoice,
  deviations: number,
  gains: Gains | null,
): Observer {
  const certain = x.basis === "input" || x.basis === "bounded";
  if (choice === "deviations" || (choice === "least-error" && certain)) {
    return new RangeObserver(least(x.low), most(x.high), certain);
  }
  if (choice === "least-error") return new LeastErrorObserver(x, deviations, gains);
  const observer = makeObserver(choice);
  for (let c = 0; c < x.mean.length; c++) {
    const [from, to] = [Math.max(x.from[c]!, x.low[c]!), Math.min(x.to[c]!, x.high[c]!)];
    observer.see(Float32Array.from(samples, (z) => Math.min(Math.max(x.centre[c]! + z * x.deviation[c]!, from), to)));
  }
  return observer;
}

/** A range that is known. What the readers cannot tell apart is left out of it. */
class RangeObserver implements Observer {
  readonly #low: number;
  readonly #high: number;
  /** Whether numbers reach the ends; else they are so many deviations away. */
  readonly #certain: boolean;

  constructor(low: number, high: number, certain: boolean) {
    this.#low = low;
    this.#high = high;
    this.#certain = certain;
  }

  see(): void {}

  propose(choice: GridChoice, useful: readonly [number, number] = [-Infinity, Infinity]): Affine {
    const inside = (value: number) => Math.min(Math.max(value, useful[0]), useful[1]);
    // Coarse scales grow by a fifth in the mean; half of that is taken from ends that hardly any number reaches.
    const share = choice.shortScale === "coarse" && !this.#certain ? 11 / 12 : 1;
    return affineOfRange(inside(share * this.#low), inside(share * this.#high), choice);
  }

  statistics(): ReturnType<Observer["statistics"]> {
    return { min: this.#low, max: this.#high, count: 0, histogram: null };
  }
}
