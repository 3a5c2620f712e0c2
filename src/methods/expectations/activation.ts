/** Functions of one number: windows (Relu, Clip) in closed form, smooth ones by quadrature. */
import { clipBounds, floatConstant } from "../../facts/inner.ts";
import type { Node } from "../../ir/inner.ts";
import { elementsOf } from "../../tensor/inner.ts";
import { clipped, type Expectation, picked, pooled } from "./expectation.ts";
import { throughFunction } from "./normal.ts";
import { operandOf, type Rule, type Step } from "./step.ts";

export const rectified: Rule = (step) => clipped(operandOf(step), [0], [Number.POSITIVE_INFINITY]);

export const clip: Rule = (step) => {
  const bounds = clipBounds(step.node);
  return bounds && clipped(operandOf(step), [bounds.min], [bounds.max]);
};

/** Min or Max of one computed value with constants: a window. */
export const compared: Rule = (step) => {
  const { node } = step;
  const computed = node.inputs.filter((value) => !floatConstant(value));
  if (computed.length !== 1) return `${node.op} compares computed values`;
  let x = step.operand(computed[0]!);
  for (const value of node.inputs) {
    if (value === computed[0]) continue;
    const c = step.operand(value);
    x = windowed(x, node.op === "Min" ? { max: c } : { min: c });
  }
  return x;
};

/** With a constant, alike for all or one per channel. */
function windowed(x: Expectation, { min, max }: { min?: Expectation; max?: Expectation }): Expectation {
  const limit = (min ?? max)!;
  const fits = limit.axis === null || (limit.axis === x.axis && limit.mean.length === x.mean.length);
  const [from, to] = fits ? [limit.mean, limit.mean] : [limit.low, limit.high];
  // A limit on another axis lets through what the loosest of its numbers does.
  const loosest = (values: Float64Array, of: (...numbers: number[]) => number) => (fits ? values : [of(...values)]);
  if (max) return clipped(x, [Number.NEGATIVE_INFINITY], loosest(to, Math.max));
  return clipped(x, loosest(from, Math.min), [Number.POSITIVE_INFINITY]);
}

const smooth =
  (of: (node: Node) => (x: number) => number): Rule =>
  (step) =>
    through(operandOf(step), of(step.node));

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const leaky = (slope: number) => (x: number) => (x < 0 ? slope * x : x);
const softplus = (x: number) => Math.log1p(Math.exp(-Math.abs(x))) + Math.max(x, 0);

/** Functions of one number, by operator; their attributes have the defaults of ONNX. */
export const functions = {
  LeakyRelu: smooth((node) => leaky(node.float("alpha", 0.01))),
  Elu: smooth((node) => {
    const a = node.float("alpha", 1);
    return (x) => (x < 0 ? a * Math.expm1(x) : x);
  }),
  Selu: smooth((node) => {
    const [a, gain] = [node.float("alpha", 1.6732632423543772), node.float("gamma", 1.0507009873554805)];
    return (x) => gain * (x < 0 ? a * Math.expm1(x) : x);
  }),
  Sigmoid: smooth(() => sigmoid),
  HardSigmoid: smooth((node) => {
    const [a, b] = [node.float("alpha", 0.2), node.float("beta", 0.5)];
    return (x) => Math.min(1, Math.max(0, a * x + b));
  }),
  HardSwish: smooth(() => (x) => x * Math.min(1, Math.max(0, x / 6 + 0.5))),
  Swish: smooth((node) => {
    const a = node.float("alpha", 1);
    return (x) => x * sigmoid(a * x);
  }),
  Gelu: smooth(() => (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))),
  Mish: smooth(() => (x) => x * Math.tanh(softplus(x))),
  Tanh: smooth(() => Math.tanh),
  Softplus: smooth(() => softplus),
  Softsign: smooth(() => (x) => x / (1 + Math.abs(x))),
  Abs: smooth(() => Math.abs),
  Neg: smooth(() => (x) => -x),
  Exp: smooth(() => Math.exp),
  Sqrt: smooth(() => (x) => Math.sqrt(Math.max(x, 0))),
  // Within 1.5e-7 (Abramowitz and Stegun 7.1.26), which no range can tell.
  Erf: smooth(() => (x) => {
    const t = 1 / (1 + 0.3275911 * Math.abs(x));
    const rest = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
    return Math.sign(x) * (1 - rest * Math.exp(-x * x));
  }),
} satisfies Record<string, Rule>;

/** One slope per channel, or one for all. */
export function parametric(step: Step): Expectation | undefined {
  const { node, shapes } = step;
  const x = operandOf(step);
  const slope = floatConstant(node.input(1));
  if (!slope) return undefined;
  const slopes = elementsOf(slope);
  if (slopes.length === 1) return through(x, leaky(slopes[0]!));
  const rank = shapes.rank(node.output);
  const long = slope.shape.findIndex((d) => d !== 1);
  const axis = rank === undefined ? null : long + rank - slope.shape.length;
  if (axis === null || slope.shape.some((d, i) => d !== 1 && i !== long)) {
    const steepest = Math.max(...Array.from(slopes, Math.abs));
    return through(pooled(x), leaky(steepest));
  }
  const each = x.axis === axis ? x : picked(pooled(x), new Array<number>(slopes.length).fill(0), axis);
  return through(each, (value, c) => leaky(slopes[c]!)(value));
}

/** The distribution after a function is no normal one; its moments and ends are kept as if it were. */
function through(x: Expectation, f: (x: number, channel: number) => number): Expectation {
  const n = x.mean.length;
  const moments = Array.from({ length: n }, (_, c) =>
    throughFunction(
      (v) => f(v, c),
      x.centre[c]!,
      x.deviation[c]!,
      Math.max(x.from[c]!, -1e30),
      Math.min(x.to[c]!, 1e30),
    ),
  );
  const ends = Array.from({ length: n }, (_, c) => endsOf((v) => f(v, c), x.low[c]!, x.high[c]!));
  return {
    ...x,
    centre: Float64Array.from(moments, (m) => m.mean),
    deviation: Float64Array.from(moments, (m) => Math.sqrt(m.variance)),
    from: Float64Array.from(ends, ([low]) => low),
    to: Float64Array.from(ends, ([, high]) => high),
    mean: Float64Array.from(moments, (m) => m.mean),
    variance: Float64Array.from(moments, (m) => m.variance),
    low: Float64Array.from(ends, ([low]) => low),
    high: Float64Array.from(ends, ([, high]) => high),
  };
}

/** Least and largest of f between two ends, at 65 positions and at zero: enough for functions with one dip. */
function endsOf(f: (x: number) => number, low: number, high: number): [number, number] {
  const places = Array.from({ length: 65 }, (_, i) => low + ((high - low) * i) / 64);
  if (low < 0 && high > 0) places.push(0);
  const found = places.map(f);
  return [Math.min(...found), Math.max(...found)];
}
