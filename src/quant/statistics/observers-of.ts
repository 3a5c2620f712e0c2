/** Observers that have seen what statistics say. */
import { AvocetError } from "../../base/inner.ts";
import { needsObserver } from "../observe/encode-plan.ts";
import { HistogramObserver } from "../observers/histogram-observer.ts";
import { makeObserver } from "../observers/make-observer.ts";
import { MinMaxObserver } from "../observers/min-max.ts";
import type { Observer, Scheme } from "../observers/observer.ts";
import type { Plan } from "../plan/plan.ts";
import type { SeenValue, Statistics } from "./statistics-file.ts";

/**
 * An observer for every value of the plan that needs one and that the statistics know, each with what shares its encoding and counts for it. Throws
 * `quant/not-calibrated` where a scheme needs a histogram and a value has its ends alone, and for `tf_enhanced`, which averages over batches.
 */
export function observersOf(statistics: Statistics, plan: Plan, scheme: Scheme): Map<string, Observer> {
  const known = new Map(Object.entries(statistics.values));
  const observers = new Map<string, Observer>();
  for (const entry of plan.entries) {
    const seen = known.get(entry.value);
    if (!needsObserver(entry) || !seen) continue;
    const joined = plan.entries.filter((one) => one.observed && one.sharesEncodingOf === entry.value);
    const observer = makeObserver(scheme);
    for (const { value } of [entry, ...joined]) {
      const one = known.get(value);
      if (one) show(observer, value, one, scheme);
    }
    observers.set(entry.value, observer);
  }
  return observers;
}

function show(observer: Observer, value: string, { histogram, ...ends }: SeenValue, scheme: Scheme): void {
  if (observer instanceof MinMaxObserver) observer.seeRange(ends.min, ends.max, ends.count);
  else if (observer instanceof HistogramObserver && histogram) observer.seen.absorb({ ...ends, ...histogram });
  else {
    throw new AvocetError(
      "quant/not-calibrated",
      `expected a histogram of ${value} for ${scheme}, got its ends alone`,
      {
        hint:
          observer instanceof HistogramObserver
            ? "--calibration minmax needs no more; `avocet observe` writes histograms"
            : `${scheme} averages over batches, which statistics do not hold: take another scheme, or --data`,
      },
    );
  }
}
