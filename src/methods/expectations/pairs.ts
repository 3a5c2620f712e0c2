/** Sums and products of two values, which are taken to be independent, or of a value and a constant. */
import { floatConstant } from "../../facts/inner.ts";
import { type Expectation, most, normal, pooled, scaled, spread, weaker } from "./expectation.ts";
import type { Rule, Step } from "./step.ts";

interface Pair {
  readonly a: Expectation;
  readonly b: Expectation;
  /** Which of them is a constant. */
  readonly constant: readonly [boolean, boolean];
}

const pair =
  (rule: (pair: Pair) => Expectation | string): Rule =>
  (step) => {
    const [a, b] = [step.operand(step.node.input(0)), step.operand(step.node.input(1))];
    const constant = (i: number) => floatConstant(step.node.input(i)) !== undefined;
    return rule({ a, b, constant: [constant(0), constant(1)] });
  };

export const added = pair(({ a, b, constant }) =>
  constant[0] ? shifted(b, a, 1) : constant[1] ? shifted(a, b, 1) : sum(a, b),
);

export const subtracted = pair(({ a, b, constant }) => {
  const negative = scaled(b, [-1], [0]);
  return constant[1] ? shifted(a, b, -1) : constant[0] ? shifted(negative, a, 1) : sum(a, negative);
});

export const multiplied = pair(({ a, b, constant }) =>
  constant[0] ? timesConstant(b, a) : constant[1] ? timesConstant(a, b) : product(a, b),
);

export const divided = pair(({ a, b, constant }) =>
  constant[1] ? timesConstant(a, { ...b, mean: b.mean.map((x) => 1 / x) }) : "it is divided by a computed value",
);

export const summed = (step: Step): Expectation =>
  step.node.inputs.map((value) => step.operand(value)).reduce((a, b) => sum(a, b));

/** a + b: means and variances add; what is reached adds as deviations do, in quadrature, each side for itself. */
function sum(a: Expectation, b: Expectation): Expectation {
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
function product(a: Expectation, b: Expectation): Expectation {
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

/** x ± a constant. */
function shifted(x: Expectation, c: Expectation, sign: 1 | -1): Expectation {
  if (!fits(x, c)) return { ...sum(x, sign === 1 ? c : scaled(c, [-1], [0])), basis: x.basis };
  return scaled(
    x,
    [1],
    c.mean.map((v) => sign * v),
    x.axis ?? c.axis,
  );
}

/** x times a constant. */
function timesConstant(x: Expectation, c: Expectation): Expectation {
  if (!fits(x, c)) return { ...product(x, c), basis: x.basis };
  return scaled(x, c.mean, [0], x.axis ?? c.axis);
}

/** Whether the constant is one number, or one per channel of the value. */
function fits(x: Expectation, c: Expectation): boolean {
  if (most(c.variance) > 0) return false;
  if (c.axis === null || x.axis === null) return c.mean.length === 1 || x.mean.length === 1;
  return c.axis === x.axis && c.mean.length === x.mean.length;
}
