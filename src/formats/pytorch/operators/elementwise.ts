/** ATen's arithmetic, comparisons and logic, element by element. */
import { type DType, dtypes } from "../../../tensor/inner.ts";
import type { Term } from "../../channels-last/term.ts";
import type { Call, Row } from "../call.ts";
import { promoted, promotedWith } from "../promote.ts";

/** One operator of ONNX, in the type of the result. */
const unary =
  (op: string): Row =>
  (c) =>
    c.give(op, [c.cast(c.t("self"), c.out().dtype)]);

const binary =
  (op: string): Row =>
  (c) => {
    const { dtype } = c.out();
    return c.give(op, [c.operand("self", dtype), c.operand("other", dtype)]);
  };

/** The two operands in the type in which they meet. */
function meeting(c: Call): readonly [Term, Term, DType] {
  const self = c.t("self");
  const other = c.maybe("other");
  const whole = c.maybeWhole("other");
  const dtype = other ? promoted(self, other) : promotedWith(self, typeof whole === "object" ? 0 : c.number("other"));
  return [c.cast(self, dtype), c.operand("other", dtype), dtype];
}

const comparison =
  (op: string, negated = false): Row =>
  (c) => {
    const [a, b, dtype] = meeting(c);
    // ONNX orders no truth values.
    const [x, y] = dtype === "bool" && op !== "Equal" ? [c.cast(a, "int32"), c.cast(b, "int32")] : [a, b];
    if (!negated) return c.give(op, [x, y]);
    return c.give("Not", [c.emit(op, [x, y]).output]);
  };

const logical =
  (op: string): Row =>
  (c) =>
    c.give(op, [c.operand("self", "bool"), c.operand("other", "bool")]);

const bitwise =
  (onBools: string, onInts: string): Row =>
  (c) => {
    const { dtype } = c.out();
    return c.give(dtype === "bool" ? onBools : onInts, [c.operand("self", dtype), c.operand("other", dtype)]);
  };

/** a + alpha · b, or with another sign. */
const sum =
  (op: "Add" | "Sub"): Row =>
  (c) => {
    const { dtype } = c.out();
    const alpha = c.number("alpha", 1);
    const other = c.operand("other", dtype);
    const scaled = alpha === 1 ? other : c.mid("Mul", [other, c.scalar(alpha, dtype)], {}, dtype, other.shape);
    const self = c.operand("self", dtype);
    if (dtype === "bool") return c.give("Or", [self, scaled]);
    return c.give(op, [self, scaled]);
  };

/** Quotients as PyTorch rounds them: not at all, down, or towards zero. */
const div: Row = (c) => {
  const mode = c.text("rounding_mode", "");
  const { dtype } = c.out();
  const [a, b] = [c.operand("self", dtype), c.operand("other", dtype)];
  if (mode === "") return c.give("Div", [a, b]);
  return mode === "floor" ? floorDivided(c, a, b) : truncated(c, a, b);
};

function floorDivided(c: Call, a: Term, b: Term): Term {
  if (dtypes[a.dtype].kind === "float") return c.give("Floor", [c.emit("Div", [a, b]).output]);
  return c.give("Div", [c.emit("Sub", [a, c.emit("Mod", [a, b]).output]).output, b]);
}

function truncated(c: Call, a: Term, b: Term): Term {
  if (dtypes[a.dtype].kind !== "float") return c.give("Div", [a, b]);
  return c.wrap(towardsZero(c, c.e.term(c.emit("Div", [a, b]).output, a.dtype, c.out().shape)));
}

const towardsZero = (c: Call, x: Term) =>
  c.emit("Mul", [c.emit("Sign", [x]).output, c.emit("Floor", [c.emit("Abs", [x]).output]).output]).output;

/** What remains has the sign of the divisor, as in Python. */
const remainder: Row = (c) => {
  const { dtype } = c.out();
  const [a, b] = [c.operand("self", dtype), c.operand("other", dtype)];
  if (dtypes[dtype].kind !== "float") return c.give("Mod", [a, b]);
  const whole = c.emit("Floor", [c.emit("Div", [a, b]).output]).output;
  return c.give("Sub", [a, c.emit("Mul", [whole, b]).output]);
};

const pow: Row = (c) => {
  const { dtype } = c.out();
  const base = c.operand("self", dtype);
  const exponent = c.maybe("exponent");
  if (!exponent) {
    const known = c.number("exponent");
    if (known === 0.5) return c.give("Sqrt", [base]);
    if (known === -0.5) return c.give("Reciprocal", [c.emit("Sqrt", [base]).output]);
    if (known === 1) return c.give("Identity", [base]);
  }
  return c.give("Pow", [base, c.operand("exponent", dtype)]);
};

const where: Row = (c) => {
  const { dtype } = c.out();
  return c.give("Where", [c.cast(c.t("condition"), "bool"), c.operand("self", dtype), c.operand("other", dtype)]);
};

const maskedFill: Row = (c) => {
  const { dtype } = c.out();
  return c.give("Where", [c.cast(c.t("mask"), "bool"), c.operand("value", dtype), c.t("self")]);
};

const clamp: Row = (c) => {
  const { dtype } = c.out();
  const self = c.operand("self", dtype);
  const [min, max] = [c.has("min") ? c.operand("min", dtype) : null, c.has("max") ? c.operand("max", dtype) : null];
  if ([min, max].every((bound) => !bound || bound.shape.length === 0)) return c.give("Clip", [self, min, max]);
  const low = min ? c.emit("Max", [self, min]).output : c.value(self);
  return c.give("Min", max ? [low, max] : [low]);
};

/** self + value · (a op b). */
const combined =
  (op: "Mul" | "Div"): Row =>
  (c) => {
    const { dtype } = c.out();
    const value = c.number("value", 1);
    let part = c.emit(op, [c.operand("tensor1", dtype), c.operand("tensor2", dtype)]).output;
    if (value !== 1) part = c.emit("Mul", [part, c.scalar(value, dtype)]).output;
    return c.give("Add", [c.operand("self", dtype), part]);
  };

/** In terms of a logarithm or an exponential of base e. */
const scaled =
  (op: string, factor: number): Row =>
  (c) => {
    const { dtype } = c.out();
    return c.give("Mul", [c.emit(op, [c.cast(c.t("self"), dtype)]).output, c.scalar(factor, dtype)]);
  };

const shifted =
  (first: string, second: string, offset: number): Row =>
  (c) => {
    const { dtype } = c.out();
    const x = c.cast(c.t("self"), dtype);
    if (first === "") return c.give(second, [c.emit("Add", [x, c.scalar(offset, dtype)]).output]);
    return c.give(second, [c.emit(first, [x]).output, c.scalar(offset, dtype)]);
  };

export const elementwise: Readonly<Record<string, Row>> = {
  add: sum("Add"),
  sub: sum("Sub"),
  subtract: sum("Sub"),
  rsub: (c) => {
    const { dtype } = c.out();
    return c.give("Sub", [c.operand("other", dtype), c.operand("self", dtype)]);
  },
  mul: (c) => (c.out().dtype === "bool" ? logical("And")(c) : binary("Mul")(c)),
  multiply: binary("Mul"),
  div,
  divide: div,
  true_divide: div,
  floor_divide: (c) => {
    const { dtype } = c.out();
    return floorDivided(c, c.operand("self", dtype), c.operand("other", dtype));
  },
  remainder,
  fmod: (c) => {
    const { dtype } = c.out();
    return c.give("Mod", [c.operand("self", dtype), c.operand("other", dtype)], { fmod: 1 });
  },
  pow,
  maximum: binary("Max"),
  minimum: binary("Min"),
  eq: comparison("Equal"),
  ne: comparison("Equal", true),
  lt: comparison("Less"),
  le: comparison("LessOrEqual"),
  gt: comparison("Greater"),
  ge: comparison("GreaterOrEqual"),
  logical_and: logical("And"),
  logical_or: logical("Or"),
  logical_xor: logical("Xor"),
  logical_not: (c) => c.give("Not", [c.cast(c.t("self"), "bool")]),
  bitwise_and: bitwise("And", "BitwiseAnd"),
  bitwise_or: bitwise("Or", "BitwiseOr"),
  bitwise_xor: bitwise("Xor", "BitwiseXor"),
  __and__: bitwise("And", "BitwiseAnd"),
  __or__: bitwise("Or", "BitwiseOr"),
  __xor__: bitwise("Xor", "BitwiseXor"),
  bitwise_not: (c) => c.give(c.out().dtype === "bool" ? "Not" : "BitwiseNot", [c.t("self")]),
  where,
  masked_fill: maskedFill,
  clamp,
  clip: clamp,
  clamp_min: (c) => c.give("Max", [c.operand("self", c.out().dtype), c.operand("min", c.out().dtype)]),
  clamp_max: (c) => c.give("Min", [c.operand("self", c.out().dtype), c.operand("max", c.out().dtype)]),
  addcmul: combined("Mul"),
  addcdiv: combined("Div"),
  lerp: (c) => {
    const { dtype } = c.out();
    const self = c.operand("self", dtype);
    const step = c.emit("Sub", [c.operand("end", dtype), self]).output;
    return c.give("Add", [self, c.emit("Mul", [c.operand("weight", dtype), step]).output]);
  },
  abs: unary("Abs"),
  neg: unary("Neg"),
  exp: unary("Exp"),
  log: unary("Log"),
  sqrt: unary("Sqrt"),
  rsqrt: (c) => c.give("Reciprocal", [c.emit("Sqrt", [c.cast(c.t("self"), c.out().dtype)]).output]),
  reciprocal: unary("Reciprocal"),
  square: (c) => c.give("Mul", [c.t("self"), c.t("self")]),
  floor: unary("Floor"),
  ceil: unary("Ceil"),
  round: (c) => {
    const factor = 10 ** c.number("decimals", 0);
    if (factor === 1) return unary("Round")(c);
    const { dtype } = c.out();
    const many = c.emit("Mul", [c.t("self"), c.scalar(factor, dtype)]).output;
    return c.give("Div", [c.emit("Round", [many]).output, c.scalar(factor, dtype)]);
  },
  trunc: (c) => c.wrap(towardsZero(c, c.t("self"))),
  fix: (c) => c.wrap(towardsZero(c, c.t("self"))),
  frac: (c) => c.give("Sub", [c.t("self"), towardsZero(c, c.t("self"))]),
  sign: unary("Sign"),
  sgn: unary("Sign"),
  sin: unary("Sin"),
  cos: unary("Cos"),
  tan: unary("Tan"),
  asin: unary("Asin"),
  acos: unary("Acos"),
  atan: unary("Atan"),
  sinh: unary("Sinh"),
  cosh: unary("Cosh"),
  asinh: unary("Asinh"),
  acosh: unary("Acosh"),
  atanh: unary("Atanh"),
  erf: unary("Erf"),
  log2: scaled("Log", 1 / Math.LN2),
  log10: scaled("Log", 1 / Math.LN10),
  log1p: shifted("", "Log", 1),
  expm1: shifted("Exp", "Sub", 1),
  exp2: (c) => c.give("Pow", [c.scalar(2, c.out().dtype), c.cast(c.t("self"), c.out().dtype)]),
  isnan: (c) => c.give("IsNaN", [c.t("self")]),
  isinf: (c) => c.give("IsInf", [c.t("self")]),
};
