/** Operators that work element by element. */
import type { DType } from "../../../tensor/inner.ts";
import { isFloat, Tensor } from "../../../tensor/inner.ts";
import { choose } from "../../channels-last/axes.ts";
import { knownOf } from "../../channels-last/content.ts";
import { broadcastShape, cast, elementwise, foldedContent, unary } from "../../channels-last/elementwise.ts";
import type { Emitter } from "../../channels-last/emitter.ts";
import type { Term } from "../../channels-last/term.ts";
import type { Row } from "../call.ts";
import { dtypeOfTflite } from "../schema.ts";

const binary =
  (op: string): Row =>
  (c) =>
    c.activated(elementwise(c.e, op, [c.x(0), c.x(1)]), c.options({ activation: "i8" }).activation);

/** Of two operands without an activation. */
const plain =
  (op: string): Row =>
  (c) =>
    elementwise(c.e, op, [c.x(0), c.x(1)]);

const compare =
  (op: string): Row =>
  (c) =>
    elementwise(c.e, op, [c.x(0), c.x(1)], "bool");

const one =
  (op: string): Row =>
  (c) =>
    unary(c.e, op, c.x());

const clipped =
  (least: number, most: number): Row =>
  (c) => {
    const x = c.x();
    return unary(
      c.e,
      "Clip",
      x,
      {},
      x.dtype,
      [least, most].map((end) => c.e.value(c.e.numbers(end, x.dtype))),
    );
  };

/** A division; of whole numbers as `rounded` says, for rounding down through what the remainder leaves, which divides without a rest. */
function division(e: Emitter, a: Term, b: Term, rounded: (value: number) => number): Term {
  if (isFloat(a.dtype)) return elementwise(e, "Div", [a, b]);
  const content = foldedContent(e, "Div", a, b, a.dtype, (x, y) => rounded(x / y));
  if (content?.every((value) => typeof value === "number")) {
    return e.numbers(content as number[], a.dtype, broadcastShape(e, [a, b]) as number[]);
  }
  const whole = rounded === Math.floor ? elementwise(e, "Sub", [a, elementwise(e, "Mod", [a, b])]) : a;
  return { ...elementwise(e, "Div", [whole, b]), ...(content ? { content } : {}) };
}

function floorDivision(e: Emitter, a: Term, b: Term): Term {
  const quotient = division(e, a, b, Math.floor);
  return isFloat(a.dtype) ? unary(e, "Floor", quotient) : quotient;
}

function floorRemainder(e: Emitter, a: Term, b: Term): Term {
  if (!isFloat(a.dtype)) return elementwise(e, "Mod", [a, b]);
  return elementwise(e, "Sub", [a, elementwise(e, "Mul", [floorDivision(e, a, b), b])]);
}

/** Half-precision constants are widened once, here; everything else is a Cast. */
export function widened(e: Emitter, x: Term, dtype: DType): Term {
  const { constant } = x;
  if (!constant || x.dtype !== "float16" || dtype !== "float32" || knownOf(x)) return cast(e, x, dtype);
  return e.constant(Tensor.lazy("float32", constant.shape, () => Float32Array.from(constant.numbers())));
}

export const elementwiseRows = {
  ADD: binary("Add"),
  SUB: binary("Sub"),
  MUL: binary("Mul"),
  DIV: (c) => c.activated(division(c.e, c.x(0), c.x(1), Math.trunc), c.options({ activation: "i8" }).activation),
  MAXIMUM: plain("Max"),
  MINIMUM: plain("Min"),
  POW: plain("Pow"),
  LESS: compare("Less"),
  LESS_EQUAL: compare("LessOrEqual"),
  GREATER: compare("Greater"),
  GREATER_EQUAL: compare("GreaterOrEqual"),
  EQUAL: compare("Equal"),
  LOGICAL_AND: compare("And"),
  LOGICAL_OR: compare("Or"),
  NOT_EQUAL: (c) => unary(c.e, "Not", elementwise(c.e, "Equal", [c.x(0), c.x(1)], "bool")),
  LOGICAL_NOT: one("Not"),
  ABS: one("Abs"),
  CEIL: one("Ceil"),
  COS: one("Cos"),
  EXP: one("Exp"),
  FLOOR: one("Floor"),
  LOG: one("Log"),
  LOGISTIC: one("Sigmoid"),
  NEG: one("Neg"),
  RELU: one("Relu"),
  ROUND: one("Round"),
  SIGN: one("Sign"),
  SIN: one("Sin"),
  SQRT: one("Sqrt"),
  TANH: one("Tanh"),
  HARD_SWISH: one("HardSwish"),
  RELU6: clipped(0, 6),
  RELU_N1_TO_1: clipped(-1, 1),
  RELU_0_TO_1: clipped(0, 1),
  ELU: (c) => unary(c.e, "Elu", c.x()),
  LEAKY_RELU: (c) =>
    unary(c.e, "LeakyRelu", c.x(), { alpha: { type: "float", value: c.options({ alpha: "f32" }).alpha } }),
  PRELU: (c) => elementwise(c.e, "PRelu", [c.x(0), c.x(1)]),
  GELU: (c) => unary(c.e, "Gelu", c.x(), c.options({ approximate: "bool" }).approximate ? { approximate: "tanh" } : {}),
  SQUARE: (c) => elementwise(c.e, "Mul", [c.x(), c.x()]),
  RSQRT: (c) => unary(c.e, "Reciprocal", unary(c.e, "Sqrt", c.x())),
  SQUARED_DIFFERENCE: (c) => {
    const difference = elementwise(c.e, "Sub", [c.x(0), c.x(1)]);
    return elementwise(c.e, "Mul", [difference, difference]);
  },
  ADD_N: (c) => c.all().reduce((sum, x) => elementwise(c.e, "Add", [sum, x])),
  FLOOR_DIV: (c) => floorDivision(c.e, c.x(0), c.x(1)),
  FLOOR_MOD: (c) => floorRemainder(c.e, c.x(0), c.x(1)),
  ZEROS_LIKE: (c) => elementwise(c.e, "Mul", [c.x(), c.e.numbers(0, c.x().dtype)]),
  SELECT: (c) => {
    const [condition, yes] = [c.x(0), c.x(1)];
    const missing = condition.shape.length === 1 ? yes.shape.length - 1 : 0;
    // A vector of conditions chooses whole slices along the first axis.
    if (missing <= 0) return choose(c.e, condition, yes, c.x(2));
    const shaped = c.e.node("Unsqueeze", [
      c.e.value(condition),
      c.e.ints(Array.from({ length: missing }, (_, i) => i + 1)),
    ]);
    const shape = [...condition.shape, ...Array.from({ length: missing }, () => 1)];
    return choose(c.e, c.e.term(shaped.output, "bool", shape), yes, c.x(2));
  },
  SELECT_V2: (c) => choose(c.e, c.x(0), c.x(1), c.x(2)),
  CAST: (c) => {
    const { to } = c.options({ from: "i8", to: "i8" });
    return widened(c.e, c.x(), dtypeOfTflite(to) ?? c.dtype());
  },
  // What is quantized here is a float with a quantizer behind it: both operators only say where.
  QUANTIZE: (c) => widened(c.e, c.x(), "float32"),
  DEQUANTIZE: (c) => widened(c.e, c.x(), "float32"),
  BITWISE_XOR: plain("BitwiseXor"),
  ATAN2: (c) => arcTangent(c.e, c.x(0), c.x(1)),
} satisfies Record<string, Row>;

/** The angle of (x, y) from the arc tangent of y / x: half a turn more on the left, and the quarter turns where x is zero. */
function arcTangent(e: Emitter, y: Term, x: Term): Term {
  const number = (value: number) => e.numbers(value, y.dtype);
  const zero = number(0);
  const angle = unary(e, "Atan", elementwise(e, "Div", [y, x]));
  const below = elementwise(e, "Less", [y, zero], "bool");
  const left = elementwise(e, "Less", [x, zero], "bool");
  const half = choose(e, below, number(-Math.PI), number(Math.PI));
  const turned = choose(e, left, elementwise(e, "Add", [angle, half]), angle);
  const both = elementwise(
    e,
    "And",
    [elementwise(e, "Equal", [x, zero], "bool"), elementwise(e, "Equal", [y, zero], "bool")],
    "bool",
  );
  return choose(e, both, zero, turned);
}
