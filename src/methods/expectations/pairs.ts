/** Sums and products of two values that are taken to be independent. */
import { type Expectation, normal, pooled, spread, weaker } from "./expectation.ts";

/** a + b: means and variances add; what is reached adds as deviations do, in quadrature, each side for itself. */
export function sum(a: Expectation, b: Expectation): Expectation {
  return combined(a, b, (x, y, i, j) => {
    const mean = x.mean[i]! + y.mean[j]!;
    const reach = (end: "low" | "high") => Math.hypot(x[end][i]! - x.mean[i]!, y[end][j]! - y.mean[j]!);
    return {
      mean,
      variance: x.variance[i]! + y.variance[j]!,
      low: mean - reach("low"),
      high: mean + reach("high"),
    };
  });
}

/** a · b: the ends are those of intervals. */
export function product(a: Expectation, b: Expectation): Expectation {
  return combined(a, b, (x, y, i, j) => {
    const [p, q] = [x.mean[i]!, y.mean[j]!];
    const [v, w] = [x.variance[i]!, y.variance[j]!];
    const corners = [x.low[i]! * y.low[j]!, x.low[i]! * y.high[j]!, x.high[i]! * y.low[j]!, x.high[i]! * y.high[j]!];
    return {
      mean: p * q,
      variance: v * w + v * q * q + w * p * p,
      low: Math.min(...corners),
      high: Math.max(...corners),
    };
  });
}

interface One {
  readonly mean: number;
  readonly variance: number;
  readonly low: number;
  readonly high: number;
}

/** Channel by channel where both have them on one axis; else channels of one with the other's mixture, or both mixed. */
function combined(
  a: Expectation,
  b: Expectation,
  combine: (x: Expectation, y: Expectation, i: number, j: number) => One,
): Expectation {
  const alike = a.axis !== null && a.axis === b.axis && a.mean.length === b.mean.length;
  const only = alike || a.axis === null || b.axis === null;
  const axis = only ? (a.axis ?? b.axis) : null;
  const count = axis === null ? 1 : (a.axis === null ? b : a).mean.length;
  const full = (x: Expectation) => (axis === null ? pooled(x) : spread(x, count, axis));
  const [x, y] = [full(a), full(b)];
  const each = Array.from({ length: count }, (_, i) => combine(x, y, i, i));
  return normal(
    axis,
    each.map((one) => one.mean),
    each.map((one) => Math.sqrt(one.variance)),
    { low: each.map((one) => one.low), high: each.map((one) => one.high) },
    weaker(a.basis, b.basis),
  );
}
