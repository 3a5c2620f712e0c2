/** Activation functions against central differences. */
import { away, type GradientCase, gradientSuite } from "../gradient-suite.ts";

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
