/** Learning rates as pure functions of the number of updates made so far. */
import { AvocetError } from "../base/inner.ts";

/** The rate of update 0, 1, 2 … */
export type Schedule = (update: number) => number;

/** A schedule as data. `rate` is the largest rate; updates before `warmup` rise to it in a straight line (default none). */
export type ScheduleSpec =
  | { readonly kind: "constant"; readonly rate: number; readonly warmup?: number }
  /** Half a cosine from `rate` to `end` (default 0) over all updates (Loshchilov and Hutter, 2017, without restarts). */
  | { readonly kind: "cosine"; readonly rate: number; readonly end?: number; readonly warmup?: number }
  /** Multiplied by `factor` (default 0.1) at each of these shares of all updates. */
  | {
      readonly kind: "step";
      readonly rate: number;
      readonly at: readonly number[];
      readonly factor?: number;
      readonly warmup?: number;
    }
  /**
   * Up from rate / 25 to `rate` over the first `rise` (default 0.3) of the updates, then down to almost nothing, both along
   * half a cosine (Smith and Topin, 2018; the numbers are those of PyTorch's `OneCycleLR`).
   */
  | { readonly kind: "one-cycle"; readonly rate: number; readonly rise?: number };

/** The schedule over `updates` updates. Throws `usage/bad-value` for rates that are no positive numbers. */
export function schedule(spec: ScheduleSpec, updates: number): Schedule {
  if (!(spec.rate > 0 && Number.isFinite(spec.rate))) {
    throw new AvocetError("usage/bad-value", `expected a learning rate above 0, got ${spec.rate}`);
  }
  if (spec.kind === "one-cycle") return oneCycle(spec.rate, spec.rise ?? 0.3, updates);
  const { warmup = 0 } = spec;
  const after = afterWarmup(spec, updates);
  return (update) => after(update) * Math.min(1, (update + 1) / (warmup + 1));
}

function afterWarmup(spec: Exclude<ScheduleSpec, { kind: "one-cycle" }>, updates: number): Schedule {
  const { rate } = spec;
  switch (spec.kind) {
    case "constant":
      return () => rate;
    case "cosine":
      return (update) => halfCosine(rate, spec.end ?? 0, update / updates);
    case "step":
      return (update) => rate * (spec.factor ?? 0.1) ** spec.at.filter((share) => update >= share * updates).length;
    default:
      return spec satisfies never;
  }
}

function oneCycle(rate: number, rise: number, updates: number): Schedule {
  const [first, last] = [rate / 25, rate / 25e4];
  const top = rise * updates - 1;
  return (update) =>
    update <= top
      ? halfCosine(first, rate, top > 0 ? update / top : 1)
      : halfCosine(rate, last, (update - top) / (updates - 1 - top));
}

/** From `start` at 0 to `end` at 1. */
function halfCosine(start: number, end: number, share: number): number {
  return end + ((start - end) * (1 + Math.cos(Math.PI * Math.min(share, 1)))) / 2;
}
