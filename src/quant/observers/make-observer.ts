/** Calibration schemes by name. */
import { AvocetError } from "../../base/inner.ts";
import { EntropyObserver } from "./entropy.ts";
import { MinMaxObserver } from "./min-max.ts";
import type { Observer, Scheme } from "./observer.ts";
import { OutputErrorObserver } from "./output-error.ts";
import type { Gains } from "./output-gain.ts";
import { PercentileObserver } from "./percentile.ts";
import { SquaredErrorObserver } from "./squared-error.ts";
import { TfEnhancedObserver } from "./tf-enhanced.ts";

/**
 * A new observer of a scheme. With `gains`, `sqnr` minimises the error at the outputs of the layers that read the value
 * instead of at the value itself. Throws `usage/bad-value` for an unknown name or a percentile outside 50 … 100.
 */
export function makeObserver(scheme: Scheme, gains?: Gains): Observer {
  const [name, number] = scheme.split(":") as [string, string | undefined];
  if (name === "percentile") return new PercentileObserver(number === undefined ? undefined : Number(number));
  if (number === undefined) {
    if (name === "minmax") return new MinMaxObserver();
    if (name === "tf_enhanced") return new TfEnhancedObserver();
    if (name === "sqnr") return gains ? new OutputErrorObserver(gains) : new SquaredErrorObserver();
    if (name === "mse") return new SquaredErrorObserver(1);
    if (name === "entropy") return new EntropyObserver();
  }
  throw new AvocetError("usage/bad-value", `expected a calibration scheme, got "${scheme}"`, {
    hint: "minmax, percentile:99.9, tf_enhanced, sqnr, mse or entropy",
  });
}
