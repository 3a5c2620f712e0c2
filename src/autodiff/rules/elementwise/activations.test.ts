/** Activation functions against central differences. */
import { expect, test } from "vitest";
import { parseModel, tensorType } from "../../../ir/inner.ts";
import { openRuntime } from "../../../runtime/inner.ts";
import { Tensor } from "../../../tensor/inner.ts";
import { gradientModel, seedPrefix } from "../../differentiate.ts";
import { away, type GradientCase, gradientSuite } from "../../gradient-suite.ts";

const one = (call: string, ...kinks: number[]): GradientCase => ({
  text: `f (float[2,3,4] x) => (float y) { y = ${call} }`,
  feeds: { x: away(...kinks) },
});

gradientSuite({
  Relu: one("Relu(x)", 0),
  LeakyRelu: one("LeakyRelu <alpha = 0.2> (x)", 0),
  "LeakyRelu with a negative slope": one("LeakyRelu <alpha = -0.5> (x)", 0),
  "LeakyRelu steeper below zero": one("LeakyRelu <alpha = 2.0> (x)", 0),
  Sigmoid: one("Sigmoid(x)"),
  Tanh: one("Tanh(x)"),
  HardSigmoid: one("HardSigmoid <alpha = 0.5, beta = 0.4> (x)", -0.8, 1.2),
  HardSwish: {
    ...one("HardSwish(x)"),
    text: "f (float[2,3,4] x) => (float y) { t = Add(x, x) y = HardSwish(t) }",
    feeds: { x: away(-1.5, 1.5) },
  },
  "PRelu, one slope": {
    text: "f (float[2,3,4] x, float[1] s) => (float y) { y = PRelu(x, s) }",
    feeds: { x: away(0) },
  },
  "PRelu, a slope for each channel": {
    text: "f (float[2,3,4] x, float[3,1] s) => (float y) { y = PRelu(x, s) }",
    feeds: { x: away(0) },
  },
  "Clip at both ends": {
    text: "f (float[2,3,4] x, float low, float high) => (float y) { y = Clip(x, low, high) }",
    feeds: { x: away(-0.5, 0.8), low: () => -0.5, high: () => 0.8 },
  },
  "Clip below": {
    text: "f (float[2,3,4] x, float low) => (float y) { y = Clip(x, low) }",
    feeds: { x: away(-0.5), low: () => -0.5 },
  },
  "Clip above": {
    text: `f (float[2,3,4] x, float high) => (float y) { y = Clip(x, "", high) }`,
    feeds: { x: away(0.3), high: () => 0.3 },
  },
  "Clip with crossed ends": {
    text: "f (float[2,3,4] x, float low, float high) => (float y) { y = Clip(x, low, high) }",
    feeds: { x: away(-0.5, 0.8), low: () => 0.8, high: () => -0.5 },
  },
  "Clip at fixed ends": {
    text: "f (float[2,3,4] x) => (float y) <float low = {-0.5}, float high = {0.8}> { y = Clip(x, low, high) }",
    feeds: { x: away(-0.5, 0.8) },
  },
  "Clip at a fixed lower end": {
    text: "f (float[2,3,4] x) => (float y) <float low = {-0.5}> { y = Clip(x, low) }",
    feeds: { x: away(-0.5) },
  },
  "Clip at a fixed lower end of zero": {
    text: "f (float[2,3,4] x) => (float y) <float low = {0.0}> { y = Clip(x, low) }",
    feeds: { x: away(0) },
  },
  "Clip at a fixed upper end": {
    text: `f (float[2,3,4] x) => (float y) <float high = {0.3}> { y = Clip(x, "", high) }`,
    feeds: { x: away(0.3) },
  },
  "Clip at a fixed end far away": {
    text: "f (float[2,3,4] x) => (float y) <float low = {0}, float high = {3e38}> { y = Clip(x, low, high) }",
    feeds: { x: away(0) },
  },
  "Clip at computed ends": {
    text: "f (float[2,3,4] x, float low, float high) => (float y) { y = Clip(x, low, high) }",
    wrt: ["x"],
    feeds: { x: away(-0.5, 0.8), low: () => -0.5, high: () => 0.8 },
  },
  "Clip without ends": one("Clip(x)"),
  Elu: one("Elu <alpha = 1.5> (x)", 0),
  "Elu with the usual slope": one("Elu(x)", 0),
  Celu: one("Celu <alpha = 0.7> (x)", 0),
  Selu: one("Selu(x)", 0),
  "Selu with its own numbers": one("Selu <alpha = 1.0, gamma = 2.0> (x)", 0),
  Gelu: one("Gelu(x)"),
  "Gelu by tanh": one(`Gelu <approximate = "tanh"> (x)`),
  Mish: one("Mish(x)"),
  Shrink: one("Shrink <lambd = 0.5, bias = 0.3> (x)", -0.5, 0.5),
  Softplus: one("Softplus(x)"),
  Softsign: one("Softsign(x)", 0),
  Swish: { ...one("Swish(x)"), opset: 24 },
  "Swish with its own slope": { ...one("Swish <alpha = 1.7> (x)"), opset: 24 },
  ThresholdedRelu: one("ThresholdedRelu <alpha = 0.3> (x)", 0.3),
});

/** Φ(x) by Simpson's rule on its density, in float64. */
function normalShare(x: number): number {
  const n = 2000;
  const density = (t: number) => Math.exp((-t * t) / 2) / Math.sqrt(2 * Math.PI);
  let sum = density(0) + density(x);
  for (let i = 1; i < n; i++) sum += (i % 2 === 1 ? 4 : 2) * density((i * x) / n);
  return 0.5 + (sum * x) / (3 * n);
}

// Both forms differ by less than differences of float32 can tell.
test.each([
  ["none", normalShare],
  ["tanh", (x: number) => 0.5 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))],
])("the slope of Gelu <approximate = %s> is that of x times its own share", async (approximate, share) => {
  const x = [-3, -2.2, -1, 0, 0.7, 1.5, 2.5];
  const shape = tensorType("float32", [x.length]);
  const types = new Map(["x", "y"].map((name) => [name, shape]));
  const model = parseModel(
    `<ir_version: 10, opset_import: ["": 21]> f (float[7] x) => (float[7] y) { y = Gelu <approximate = "${approximate}"> (x) }`,
  );
  const runtime = await openRuntime();
  await using session = await runtime.open(gradientModel(model, ["x"], { types, outputs: ["y"] }), {
    optimization: "off",
  });
  const feeds = {
    x: Tensor.float32([7], x),
    [`${seedPrefix}y`]: Tensor.float32(
      [7],
      x.map(() => 1),
    ),
  };
  const found = (await session.run(feeds, ["gradient_x"])).gradient_x!.floats();
  for (const [i, at] of x.entries()) {
    const wanted = ((at + 1e-4) * share(at + 1e-4) - (at - 1e-4) * share(at - 1e-4)) / 2e-4;
    // float32, and 1e-8 of the differences; the forms are 1e-4 and more apart at most of these.
    expect(Math.abs(found[i]! - wanted)).toBeLessThan(5e-6);
  }
});
