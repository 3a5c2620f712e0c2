/** Which form a gradient of arithmetic takes: no factor of one, no power of a square, one mask where one will do. */
import { expect, test } from "vitest";
import { backwardOperators } from "../../../../test/backward-operators.ts";

/** A line for each right-hand side of y = …, with the operators that lead back to x. */
const formsOf = (...bodies: readonly string[]) =>
  bodies.map((body) => {
    const text = `f (float[2,3] x, float[2,3] a, float[2,3] b) => (float y) { y = ${body} }`;
    return `${body}: ${backwardOperators(text, "x")}`;
  });

test("sums and extremes", () => {
  expect(
    formsOf("Add(x, a)", "Sub(x, a)", "Sub(a, x)", "Sum(x, a, b)", "Mean(x)", "Mean(x, a)").concat(
      formsOf("Max(x)", "Max(x, a)", "Min(a, x)", "Max(x, a, b)"),
    ),
  ).toMatchInlineSnapshot(`
    [
      "Add(x, a): Identity",
      "Sub(x, a): Identity",
      "Sub(a, x): Identity, Neg",
      "Sum(x, a, b): Identity",
      "Mean(x): Identity",
      "Mean(x, a): Identity, Mul",
      "Max(x): Identity",
      "Max(x, a): HardSigmoid, Identity, Mul, Sub",
      "Min(a, x): HardSigmoid, Identity, Mul, Sub ×2",
      "Max(x, a, b): Abs ×3, Div, HardSigmoid ×3, Identity, Mul, Sub ×3, Sum",
    ]
  `);
});

test("constant powers", () => {
  const power = (p: number) =>
    `${p}: ${backwardOperators(`f (float[2,3] x) => (float y) <float p = {${p}}> { y = Pow(x, p) }`, "x")}`;
  expect([0, 1, 2, 3, 0.5].map(power)).toMatchInlineSnapshot(`
    [
      "0: Identity, Mul",
      "1: Identity",
      "2: Identity, Mul ×2",
      "3: Identity, Mul ×2, Pow",
      "0.5: Identity, Mul ×2, Pow",
    ]
  `);
});

test("slopes", () => {
  const leaky = (alpha: string) => `LeakyRelu <alpha = ${alpha}> (x)`;
  expect(
    formsOf(
      leaky("-0.1"),
      leaky("0.0"),
      leaky("0.1"),
      leaky("1.0"),
      leaky("1.1"),
      "Elu(x)",
      "Elu <alpha = 2.0> (x)",
    ).concat(
      formsOf("Celu(x)", "com.microsoft.QuickGelu <alpha = 1.0> (x)", "com.microsoft.QuickGelu <alpha = 2.0> (x)"),
    ),
  ).toMatchInlineSnapshot(`
    [
      "LeakyRelu <alpha = -0.1> (x): Add, HardSigmoid, Identity, Mul ×2",
      "LeakyRelu <alpha = 0.0> (x): Clip, Identity, Mul ×2",
      "LeakyRelu <alpha = 0.1> (x): Clip, Identity, Mul ×2",
      "LeakyRelu <alpha = 1.0> (x): Clip, Identity, Mul ×2",
      "LeakyRelu <alpha = 1.1> (x): Add, HardSigmoid, Identity, Mul ×2",
      "Elu(x): Exp, Identity, Min, Mul",
      "Elu <alpha = 2.0> (x): Add, Exp, HardSigmoid, Identity, Min, Mul ×3",
      "Celu(x): Exp, Identity, Min, Mul ×2",
      "com.microsoft.QuickGelu <alpha = 1.0> (x): Add, Identity, Mul ×2, Sigmoid, Sub",
      "com.microsoft.QuickGelu <alpha = 2.0> (x): Add, Identity, Mul ×4, Sigmoid, Sub",
    ]
  `);
});

test("between two bounds: one mask, if the middle keeps its digits", () => {
  const clip = (low: number, high: number) =>
    `${low} … ${high}: ${backwardOperators(`f (float[2,3] x) => (float y) <float p = {${low}}, float q = {${high}}> { y = Clip(x, p, q) }`, "x")}`;
  expect([clip(-1, 1), clip(-255, 1), clip(-256, 1), clip(-1, 256), clip(1, 1), clip(2, 1)]).toMatchInlineSnapshot(`
    [
      "-1 … 1: Abs, HardSigmoid, Identity, Mul, Sub",
      "-255 … 1: Abs, HardSigmoid, Identity, Mul, Sub",
      "-256 … 1: HardSigmoid ×2, Identity, Mul ×2, Sub ×2",
      "-1 … 256: HardSigmoid ×2, Identity, Mul ×2, Sub ×2",
      "1 … 1: HardSigmoid ×2, Identity, Mul ×2, Sub ×2",
      "2 … 1: HardSigmoid ×2, Identity, Mul ×2, Sub ×2",
    ]
  `);
});
