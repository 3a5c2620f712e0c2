/** Element-wise arithmetic against central differences, with operands that broadcast. */
import { describe } from "vitest";
import type { Random } from "../../../base/inner.ts";
import { Tensor } from "../../../tensor/inner.ts";
import { away, type GradientCase, gradientSuite } from "../../gradient-suite.ts";

const positive = (random: Random) => random.uniform(0.5, 1.5);

/** Where the inverses of sine and tanh are smooth. */
const inside = (random: Random) => random.uniform(-0.8, 0.8);

const one = (call: string, feed?: (random: Random) => number): GradientCase => ({
  text: `f (float[2,3,4] x) => (float y) { y = ${call} }`,
  ...(feed ? { feeds: { x: feed } } : {}),
});

describe("one operand", () => {
  gradientSuite({
    Abs: one("Abs(x)", away(0)),
    Exp: one("Exp(x)"),
    Log: one("Log(x)", positive),
    Neg: one("Neg(x)"),
    Sqrt: one("Sqrt(x)", positive),
    Reciprocal: one("Reciprocal(x)", positive),
    Erf: one("Erf(x)"),
    Sin: one("Sin(x)"),
    Cos: one("Cos(x)"),
    Tan: one("Tan(x)", inside),
    Asin: one("Asin(x)", inside),
    Acos: one("Acos(x)", inside),
    Atan: one("Atan(x)"),
    Sinh: one("Sinh(x)"),
    Cosh: one("Cosh(x)"),
    Asinh: one("Asinh(x)"),
    Acosh: one("Acosh(x)", (random) => random.uniform(1.5, 3)),
    Atanh: one("Atanh(x)", inside),
    "Cast to double and back": {
      text: "f (float[2,3] x) => (float y) { d = Cast <to = 11> (x) e = Mul(d, d) y = Cast <to = 1> (e) }",
    },
    "Cast of integers": {
      text: "f (float[2,3] x, int64[3] i) => (float y) { j = Cast <to = 1> (i) y = Mul(x, j) }",
      wrt: ["x"],
      feeds: { i: Tensor.int64([3], [1, 2, 3]) },
    },
    CastLike: {
      text: "f (float[2,3] x, double[1] like) => (float y) { d = CastLike(x, like) e = Mul(d, d) y = CastLike(e, x) }",
      wrt: ["x"],
      feeds: { like: Tensor.of("float64", [1], new Float64Array(1)) },
    },
  });
});

describe("two operands", () => {
  const two = (op: string, a: string, c: string, feed?: (random: Random) => number): GradientCase => ({
    text: `f (float${a} a, float${c} b) => (float y) { y = ${op}(a, b) }`,
    ...(feed ? { feeds: { b: feed } } : {}),
  });
  const every = (op: string, feed?: (random: Random) => number) => ({
    [`${op} of equal shapes`]: two(op, "[2,3]", "[2,3]", feed),
    [`${op} with a scalar`]: two(op, "", "[2,3]", feed),
    [`${op} with a row and a column`]: two(op, "[3,1]", "[2,1,4]", feed),
  });
  gradientSuite({
    ...every("Add"),
    ...every("Sub"),
    ...every("Mul"),
    ...every("Div", positive),
    "Mul of a value with itself": { text: "f (float[2,3] x) => (float y) { y = Mul(x, x) }" },
    Mod: {
      text: "f (float[2,3] x, float[3] d) => (float y) { y = Mod <fmod = 1> (x, d) }",
      // Quotients of 2.5, -1.6 and the like: away from whole ones.
      feeds: { x: Tensor.float32([2, 3], [2.5, -0.8, 3.1, 0.3, 1.7, -2]), d: Tensor.float32([3], [1, 0.5, -0.7]) },
    },
    "Pow of tensors": {
      text: "f (float[2,3] x, float[3] p) => (float y) { y = Pow(x, p) }",
      feeds: { x: positive },
    },
    "Pow with a constant of two": { text: "f (float[2,3] x) => (float y) <float p = {2}> { y = Pow(x, p) }" },
    "Pow with a constant of three": { text: "f (float[2,3] x) => (float y) <float p = {3}> { y = Pow(x, p) }" },
    "Pow with a constant of one": { text: "f (float[2,3] x) => (float y) <float[1] p = {1}> { y = Pow(x, p) }" },
    "Pow with a constant of zero": { text: "f (float[2,3] x) => (float y) <float p = {0}> { y = Pow(x, p) }" },
    "Pow with a whole exponent": {
      text: "f (float[2,3] x, int64[3] p) => (float y) { y = Pow(x, p) }",
      feeds: { p: Tensor.int64([3], [0, 2, 3]) },
    },
  });
});

describe("many operands", () => {
  const many = (op: string): GradientCase => ({
    text: `f (float[2,3] a, float[3] b, float[2,1] c) => (float y) { y = ${op}(a, b, c) }`,
    // Operands a tenth apart everywhere: no ties within the step.
    feeds: {
      a: Tensor.float32([2, 3], [1, -1, 0.3, 0.5, 0.1, 2]),
      b: Tensor.float32([3], [0.2, 0.8, -0.4]),
      c: Tensor.float32([2, 1], [0, -0.2]),
    },
  });
  gradientSuite({
    Sum: many("Sum"),
    Mean: many("Mean"),
    Max: many("Max"),
    Min: many("Min"),
    "Max of two": {
      text: "f (float[2,3,4] x) => (float y) <float low = {0}> { y = Max(x, low) }",
      feeds: { x: away(0) },
    },
    "Min of two": {
      text: "f (float[2,3,4] x) => (float y) <float high = {0.5}> { y = Min(high, x) }",
      feeds: { x: away(0.5) },
    },
    "Max of one": { text: "f (float[2,3] x) => (float y) { y = Max(x) }" },
  });
});
