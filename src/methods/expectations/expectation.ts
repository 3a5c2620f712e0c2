/** What is expected of a value before any data is seen: for each channel a normal distribution, clipped to a window. */
import { clippedNormal } from "./normal.ts";

/** Arrays have one number per index of `axis`, or a single one where all channels are alike (axis null). */
export interface Expectation {
  readonly axis: number | null;
  /** The normal distribution before clipping. */
  readonly centre: Float64Array;
  readonly deviation: Float64Array;
  /** The window that it is clipped to; infinite ends clip nothing. */
  readonly from: Float64Array;
  readonly to: Float64Array;
  /** Mean and variance after clipping. */
  readonly mean: Float64Array;
  readonly variance: Float64Array;
  /** What is taken to be reached: a number of deviations, inside the window. */
  readonly low: Float64Array;
  readonly high: Float64Array;
  /**
   * "batch-norm": the statistics of a batch norm, perhaps behind activations and data movement; "input": what is known of
   * the model's input; "propagated": sums of those, taken to be independent; "bounded": only the ends are certain.
   */
  readonly basis: Basis;
}

export type Basis = "batch-norm" | "input" | "propagated" | "bounded";

/** The basis of what two values give together. */
export function weaker(a: Basis, b: Basis): Basis {
  const order: readonly Basis[] = ["batch-norm", "input", "propagated", "bounded"];
  return order[Math.max(order.indexOf(a), order.indexOf(b), order.indexOf("propagated"))]!;
}

interface Ends {
  readonly low: ArrayLike<number>;
  readonly high: ArrayLike<number>;
}

/** A normal distribution per channel. `deviations`: how many of them are taken to be reached. */
export function normal(
  axis: number | null,
  centre: ArrayLike<number>,
  deviation: ArrayLike<number>,
  reached: number | Ends,
  basis: Basis,
): Expectation {
  const n = centre.length;
  const side = (sign: number) => (_: number, i: number) => centre[i]! + sign * (reached as number) * deviation[i]!;
  const [low, high] =
    typeof reached === "number"
      ? [Float64Array.from({ length: n }, side(-1)), Float64Array.from({ length: n }, side(1))]
      : [Float64Array.from(reached.low), Float64Array.from(reached.high)];
  return {
    axis,
    centre: Float64Array.from(centre),
    deviation: Float64Array.from(deviation),
    from: new Float64Array(n).fill(Number.NEGATIVE_INFINITY),
    to: new Float64Array(n).fill(Number.POSITIVE_INFINITY),
    mean: Float64Array.from(centre),
    variance: Float64Array.from(deviation, (d) => d * d),
    low,
    high,
    basis,
  };
}

/** Something between two ends, spread evenly. */
export function between(low: number, high: number): Expectation {
  return normal(null, [(low + high) / 2], [(high - low) / Math.sqrt(12)], { low: [low], high: [high] }, "bounded");
}

/** Clipped to a window that is alike for all channels, or one per channel. */
export function clipped(x: Expectation, from: ArrayLike<number>, to: ArrayLike<number>): Expectation {
  const n = Math.max(x.centre.length, from.length, to.length);
  const at = (values: ArrayLike<number>, i: number) => values[values.length === 1 ? 0 : i]!;
  const lower = Float64Array.from({ length: n }, (_, i) => Math.min(Math.max(at(x.from, i), at(from, i)), at(to, i)));
  const upper = Float64Array.from({ length: n }, (_, i) => Math.max(Math.min(at(x.to, i), at(to, i)), at(from, i)));
  const inside = (value: number, i: number) => Math.min(Math.max(value, lower[i]!), upper[i]!);
  const moments = Array.from({ length: n }, (_, i) =>
    clippedNormal(at(x.centre, i), at(x.deviation, i), lower[i]!, upper[i]!),
  );
  return {
    axis: x.axis,
    centre: Float64Array.from({ length: n }, (_, i) => at(x.centre, i)),
    deviation: Float64Array.from({ length: n }, (_, i) => at(x.deviation, i)),
    from: lower,
    to: upper,
    mean: Float64Array.from(moments, (m) => m.mean),
    variance: Float64Array.from(moments, (m) => m.variance),
    low: Float64Array.from({ length: n }, (_, i) => inside(at(x.low, i), i)),
    high: Float64Array.from({ length: n }, (_, i) => inside(at(x.high, i), i)),
    basis: x.basis,
  };
}

/** s·x + t, per channel or alike for all. Exact. */
export function scaled(x: Expectation, s: ArrayLike<number>, t: ArrayLike<number>, axis = x.axis): Expectation {
  const n = Math.max(x.centre.length, s.length, t.length);
  const at = (values: ArrayLike<number>, i: number) => values[values.length === 1 ? 0 : i]!;
  const map = (own: Float64Array, other = own) =>
    Float64Array.from({ length: n }, (_, i) => {
      const factor = at(s, i);
      // A factor of zero leaves the constant, also of an infinite end.
      return factor === 0 ? at(t, i) : factor * at(factor > 0 ? own : other, i) + at(t, i);
    });
  return {
    axis,
    centre: map(x.centre),
    deviation: Float64Array.from({ length: n }, (_, i) => Math.abs(at(s, i)) * at(x.deviation, i)),
    from: map(x.from, x.to),
    to: map(x.to, x.from),
    mean: map(x.mean),
    variance: Float64Array.from({ length: n }, (_, i) => at(s, i) ** 2 * at(x.variance, i)),
    low: map(x.low, x.high),
    high: map(x.high, x.low),
    basis: x.basis,
  };
}

/** Each array reduced to the given channels, in this order: slices, repetitions, concatenations of itself. */
export function picked(x: Expectation, channels: ArrayLike<number>, axis: number | null): Expectation {
  const pick = (values: Float64Array) => Float64Array.from(channels, (c) => values[values.length === 1 ? 0 : c]!);
  return { ...mapped(x, pick), axis };
}

function mapped(x: Expectation, f: (values: Float64Array) => Float64Array): Expectation {
  return {
    axis: x.axis,
    centre: f(x.centre),
    deviation: f(x.deviation),
    from: f(x.from),
    to: f(x.to),
    mean: f(x.mean),
    variance: f(x.variance),
    low: f(x.low),
    high: f(x.high),
    basis: x.basis,
  };
}

/** The same for so many channels. */
export function spread(x: Expectation, count: number, axis: number): Expectation {
  return x.axis === axis ? x : picked(pooled(x), new Array<number>(count).fill(0), axis);
}

/** All channels as one: the mixture of their distributions. */
export function pooled(x: Expectation): Expectation {
  if (x.centre.length === 1) return { ...x, axis: null };
  const n = x.mean.length;
  const mean = x.mean.reduce((a, b) => a + b, 0) / n;
  const variance = x.variance.reduce((sum, v, i) => sum + v + (x.mean[i]! - mean) ** 2, 0) / n;
  const ends = { low: [least(x.low)], high: [most(x.high)] };
  return normal(null, [mean], [Math.sqrt(variance)], ends, x.basis);
}

/** Channels one after the other along an axis. */
export function joined(parts: readonly Expectation[], axis: number): Expectation {
  const join = (of: (x: Expectation) => Float64Array) => Float64Array.from(parts.flatMap((x) => [...of(x)]));
  return {
    axis,
    centre: join((x) => x.centre),
    deviation: join((x) => x.deviation),
    from: join((x) => x.from),
    to: join((x) => x.to),
    mean: join((x) => x.mean),
    variance: join((x) => x.variance),
    low: join((x) => x.low),
    high: join((x) => x.high),
    basis: parts.map((x) => x.basis).reduce((a, b) => (a === b ? a : weaker(a, b))),
  };
}

export function least(values: ArrayLike<number>): number {
  return Array.prototype.reduce.call(
    values,
    (a, b) => Math.min(a as number, b as number),
    Number.POSITIVE_INFINITY,
  ) as number;
}

export function most(values: ArrayLike<number>): number {
  return -least(Float64Array.from(values, (v) => -v));
}
