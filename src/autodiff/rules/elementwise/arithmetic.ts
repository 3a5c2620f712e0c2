/** Element-wise arithmetic: what flows back to an operand that was broadcast is summed over the places it was read at. */
import type { Value } from "../../../ir/inner.ts";
import { dtypes } from "../../../tensor/inner.ts";
import type { Backward, GradientRow, GradientRule, InputGradients } from "../../rule.ts";
import { broadcast, slope } from "./elementwise.ts";

/** Sums of operands, each with a weight. */
const weighed =
  (weight: (b: Backward, index: number) => number): GradientRule =>
  (b) =>
    b.node.inputs.map((_, index) => {
      if (!b.wants(index)) return null;
      const summed = b.unbroadcast(b.dy, b.outShape, b.shapeOf(index));
      const factor = weight(b, index);
      if (factor === 1) return summed;
      return factor === -1 ? b.neg(summed) : b.mul(summed, factor);
    });

function division(b: Backward, index: number): Value {
  const quotient = b.div(b.dy, b.input(1));
  return index === 0 ? quotient : b.neg(b.mul(quotient, b.y));
}

/** dx = dy · p · x^(p − 1), dp = dy · y · log x; zero where p = 0 and where x = 0, not the NaN of 0 · ∞. */
function power(b: Backward, index: number): Value {
  const { dy } = b;
  const x = b.input(0);
  const zero = b.scalar(0);
  if (index === 1) return b.mul(dy, b.op("Where", [b.op("Equal", [x, zero]), zero, b.mul(b.y, b.op("Log", [x]))]));
  const constant = b.constantOf(b.input(1));
  if (constant?.size === 1) {
    const p = constant.numbers()[0]!;
    if (p === 0) return b.mul(dy, 0);
    if (p === 1) return dy;
    return b.mul(dy, b.mul(p === 2 ? x : b.op("Pow", [x, b.scalar(p - 1)]), p));
  }
  const p = b.floatInput(1);
  const slopeOfPower = b.mul(p, b.op("Pow", [x, b.sub(p, b.scalar(1))]));
  return b.mul(dy, b.op("Where", [b.op("Equal", [p, zero]), zero, slopeOfPower]));
}

/** The largest (or smallest) operand gets the gradient; equal ones share it evenly. */
const extreme =
  (sign: 1 | -1): GradientRule =>
  (b) => {
    const { inputs } = b.node;
    const { dy } = b;
    if (inputs.length === 1) return [dy];
    const back = (value: Value, index: number) => b.unbroadcast(value, b.outShape, b.shapeOf(index));
    if (inputs.length === 2) {
      const [x, other] = [b.input(0), b.input(1)];
      const first = b.mul(dy, sign > 0 ? b.ahead(x, other) : b.ahead(other, x));
      return [b.wants(0) ? back(first, 0) : null, b.wants(1) ? back(b.sub(dy, first), 1) : null];
    }
    const masks = inputs.map((_, index) => b.same(b.input(index), b.y));
    const share = b.div(dy, b.op("Sum", masks));
    return masks.map((mask, index) => (b.wants(index) ? back(b.mul(share, mask), index) : null));
  };

/** Between floats a gradient passes; integers have none. */
function cast(b: Backward): InputGradients {
  const x = b.input(0);
  return [b.isFloat(x) ? b.op("Cast", [b.dy], { to: dtypes[b.dtypeOf(x)!].onnx }) : null];
}

/** y = x − d · trunc(x / d) for floats (`fmod`): the quotient is flat, so dx = dy and dd = −dy · trunc(x / d). */
function modulo(b: Backward, index: number): Value {
  if (index === 0) return b.dy;
  return b.mul(b.dy, b.op("Round", [b.div(b.sub(b.y, b.input(0)), b.input(1))]));
}

/** y = f(x) with dx = dy / g(x). */
const inverse =
  (divisor: (b: Backward) => Value): GradientRule =>
  (b) => [b.div(b.dy, divisor(b))];

/** c + s · x². */
const quadratic = (b: Backward, c: number, s: 1 | -1) => {
  const squared = b.square(b.input(0));
  return s === 1 ? b.add(squared, b.scalar(c)) : b.sub(b.scalar(c), squared);
};
const root = (b: Backward, c: number, s: 1 | -1) => b.op("Sqrt", [quadratic(b, c, s)]);
const of = (b: Backward, op: string) => b.op(op, [b.input(0)]);

const steps = { flat: "steps are piecewise constant" } as const;
const bits = { flat: "integers have no gradient" } as const;

export const arithmetic = {
  Abs: slope((b) => b.sign(b.input(0))),
  Acos: inverse((b) => b.neg(root(b, 1, -1))),
  Acosh: inverse((b) => root(b, -1, 1)),
  Add: weighed(() => 1),
  Asin: inverse((b) => root(b, 1, -1)),
  Asinh: inverse((b) => root(b, 1, 1)),
  Atan: inverse((b) => quadratic(b, 1, 1)),
  Atanh: inverse((b) => quadratic(b, 1, -1)),
  BitCast: { none: "it reads the bits of a number, not its value" },
  BitShift: bits,
  BitwiseAnd: bits,
  BitwiseNot: bits,
  BitwiseOr: bits,
  BitwiseXor: bits,
  Cast: cast,
  CastLike: cast,
  Ceil: steps,
  Cos: slope((b) => b.neg(of(b, "Sin"))),
  Cosh: slope((b) => of(b, "Sinh")),
  Div: broadcast(division),
  Erf: slope((b) => b.mul(b.op("Exp", [b.neg(b.square(b.input(0)))]), 2 / Math.sqrt(Math.PI))),
  Exp: slope((b) => b.y),
  Floor: steps,
  Log: inverse((b) => b.input(0)),
  Max: extreme(1),
  Mean: weighed((b) => 1 / b.node.inputs.length),
  Min: extreme(-1),
  Mod: broadcast(modulo),
  Mul: broadcast((b, index) => b.mul(b.dy, b.input(1 - index))),
  Neg: (b) => [b.neg(b.dy)],
  Pow: broadcast(power),
  Reciprocal: slope((b) => b.neg(b.square(b.y))),
  Round: steps,
  Sign: steps,
  Sin: slope((b) => of(b, "Cos")),
  Sinh: slope((b) => of(b, "Cosh")),
  Sqrt: (b) => [b.mul(b.div(b.dy, b.y), 0.5)],
  Sub: weighed((_, index) => (index === 0 ? 1 : -1)),
  Sum: weighed(() => 1),
  Tan: slope((b) => b.add(b.square(b.y), b.scalar(1))),
} satisfies Record<string, GradientRow>;
