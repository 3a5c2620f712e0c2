/** Expectations against the runtime on drawn numbers, and against arithmetic that can be done by hand. */
import { expect, test } from "vitest";
import { Random } from "../../base/inner.ts";
import { parseModel } from "../../ir/inner.ts";
import { setBatchNormStatistics } from "../../passes/inner.ts";
import { openRuntime, traceShapes } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { between, type Expectation, normal } from "./expectation.ts";
import { expectations } from "./propagate.ts";

const runtime = await openRuntime("ort-node");
const model = (text: string) => parseModel(`<ir_version: 8, opset_import: ["": 17]> ${text}`);
const samples = 20_000;

/** Numbers [samples, 3, 1, 1], normal per channel. */
function drawn(mean: readonly number[], deviation: readonly number[]): Tensor {
  const random = new Random(1);
  const data = Float32Array.from({ length: samples * mean.length }, (_, i) => {
    const c = i % mean.length;
    // Box and Muller.
    const z = Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform());
    return mean[c]! + deviation[c]! * z;
  });
  return Tensor.float32([samples, mean.length, 1, 1], data);
}

/** What is expected of y, and what the runtime returns on drawn inputs, per channel of axis 1. */
async function both(graph: string, mean: readonly number[], deviation: readonly number[]) {
  const made = model(graph);
  const shapes = await traceShapes(made, runtime, {
    x: Tensor.float32(
      [1, mean.length, 1, 1],
      mean.map(() => 0),
    ),
  });
  const inputs = new Map([["x", normal(1, mean, deviation, 6, "batch-norm")]]);
  const found = expectations(made.graph, { shapes, inputs });
  const y = made.graph.outputs[0]!;
  await using session = await runtime.open(made);
  const { y: output } = await session.run({ x: drawn(mean, deviation) });
  const values = output!.floats();
  const channels = output!.shape[1]!;
  const seen = Array.from({ length: channels }, (_, c) => {
    const own = values.filter((_, i) => Math.floor(i / (values.length / samples / channels)) % channels === c);
    const average = own.reduce((a, b) => a + b, 0) / own.length;
    const variance = own.reduce((a, b) => a + (b - average) ** 2, 0) / own.length;
    return {
      mean: average,
      variance,
      low: own.reduce((a, b) => Math.min(a, b)),
      high: own.reduce((a, b) => Math.max(a, b)),
    };
  });
  return { expected: found.of.get(y), reason: found.unknown.get(y), seen };
}

const mean = [0.3, -1, 2];
const deviation = [1, 0.5, 2];

test.each([
  ["Relu", "g (float[N,3,1,1] x) => (float y) { y = Relu (x) }"],
  ["Clip", "g (float[N,3,1,1] x) => (float y) <float a = {0.0}, float b = {1.5}> { y = Clip (x, a, b) }"],
  [
    "Relu, then Min per channel",
    "g (float[N,3,1,1] x) => (float y) <float[3,1,1] b = {1.0, 2.0, 0.5}> { r = Relu (x) y = Min (r, b) }",
  ],
  ["Sigmoid", "g (float[N,3,1,1] x) => (float y) { y = Sigmoid (x) }"],
  ["LeakyRelu", "g (float[N,3,1,1] x) => (float y) { y = LeakyRelu <alpha = 0.2> (x) }"],
  ["PRelu", "g (float[N,3,1,1] x) => (float y) <float[3,1,1] s = {0.1, 0.2, -0.5}> { y = PRelu (x, s) }"],
  [
    "Mul and Add per channel",
    "g (float[N,3,1,1] x) => (float y) <float[3,1,1] s = {2.0, -1.0, 0.5}, float[1,3,1,1] t = {1.0, 0.0, -1.0}> { m = Mul (x, s) r = Relu (m) y = Add (r, t) }",
  ],
  [
    "Conv 1×1",
    "g (float[N,3,1,1] x) => (float y) <float[2,3,1,1] w = {0.5, -1.0, 0.25, 1.0, 1.0, 1.0}, float[2] b = {0.1, -0.2}> { y = Conv (x, w, b) }",
  ],
  [
    "depthwise Conv behind Relu",
    "g (float[N,3,1,1] x) => (float y) <float[3,1,1,1] w = {0.5, -1.0, 0.25}> { r = Relu (x) y = Conv <group = 3> (r, w) }",
  ],
  [
    "Gemm behind Flatten",
    "g (float[N,3,1,1] x) => (float y) <float[2,3] w = {0.5, -1.0, 0.25, 1.0, 1.0, 1.0}, float[2] b = {1.0, -1.0}> { f = Flatten (x) y = Gemm <transB = 1> (f, w, b) }",
  ],
  ["Concat", "g (float[N,3,1,1] x) => (float y) { r = Relu (x) y = Concat <axis = 1> (x, r) }"],
  ["Split", "g (float[N,3,1,1] x) => (float y) <int64[2] l = {1, 2}> { a, y = Split <axis = 1> (x, l) }"],
])("mean, variance and ends: %s", async (_, graph) => {
  const { expected, seen } = await both(graph, mean, deviation);
  const { axis, mean: means, variance, low, high } = expected as Expectation;
  expect(axis).toBe(1);
  expect(means.length).toBe(seen.length);
  seen.forEach((one, c) => {
    // The mean of 20,000 draws is off by 0.007 deviations, their variance by 1 % (one standard error each): five of them.
    expect(Math.abs(means[c]! - one.mean)).toBeLessThan(0.036 * Math.sqrt(one.variance) + 1e-6);
    expect(Math.abs(variance[c]! - one.variance)).toBeLessThan(0.08 * one.variance + 1e-6);
    expect(low[c]!).toBeLessThanOrEqual(one.low + 1e-6);
    expect(high[c]!).toBeGreaterThanOrEqual(one.high - 1e-6);
  });
});

test("sums add as independent ones: two batch norms", () => {
  const made = model(`g (float[1,2,4,4] x) => (float[1,2,4,4] y) <float[2,2,1,1] w = {1, 0, 0, 1}>
    { a = Conv (x, w) b = Conv (x, w) y = Add (a, b) }`);
  const values = made.graph.valuesByName();
  setBatchNormStatistics(values.get("a")!, { beta: [1, 2], gamma: [3, 0.5] });
  setBatchNormStatistics(values.get("b")!, { beta: [0, -2], gamma: [-4, 0] });
  const y = expectations(made.graph, { shapes: new Map(), deviations: 2 }).of.get(values.get("y")!)!;
  expect([...y.mean]).toEqual([1, 0]);
  expect([...y.variance]).toEqual([25, 0.25]);
  expect([...y.low]).toEqual([-9, -1]);
  expect([...y.high]).toEqual([11, 1]);
  expect(y.basis).toBe("propagated");
});

test("the statistics of a batch norm win over what its input would give", () => {
  const made = model(`g (float[1,2,4,4] x) => (float[1,2,4,4] y) <float[2,2,1,1] w = {1, 0, 0, 1}>
    { a = Conv (x, w) y = Relu (a) }`);
  const values = made.graph.valuesByName();
  setBatchNormStatistics(values.get("a")!, { beta: [0, 5], gamma: [1, 1] });
  const y = expectations(made.graph, { shapes: new Map() }).of.get(values.get("y")!)!;
  expect(y.basis).toBe("batch-norm");
  // E[max(z, 0)] = 1/√(2π).
  expect(Math.abs(y.mean[0]! - 1 / Math.sqrt(2 * Math.PI))).toBeLessThan(1e-12);
  expect([y.low[0], y.high[0], y.low[1], y.high[1]]).toEqual([0, 6, 0, 11]);
});

test("the places of the largest are not expected where the largest themselves are", () => {
  const made = model("g (float[1,8] x) => (float[1,2] y, int64[1,2] i) <int64[1] k = {2}> { y, i = TopK (x, k) }");
  const [y, i] = made.graph.outputs;
  const inputs = new Map([["x", normal(null, [0], [1], 6, "input")]]);
  const { of, unknown } = expectations(made.graph, { shapes: new Map(), inputs });
  expect(of.get(y!)!.high).toEqual(Float64Array.of(6));
  expect(unknown.get(i!)).toBe("nothing is known of what TopK gives");
});

test("what nothing is known of says why, the root of it", () => {
  const made = model(
    "g (float[1,2] x) => (float[1,2] y) { a = Relu (x) y = Sigmoid (a) z = CumSum (a, a) w = Neg (z) }",
  );
  const values = made.graph.valuesByName();
  const { of, unknown } = expectations(made.graph, { shapes: new Map() });
  expect(unknown.get(values.get("a")!)).toBe(
    "it depends on x: it is an input of the model, and its range was not given",
  );
  expect(unknown.get(values.get("w")!)).toBe(
    "it depends on x: it is an input of the model, and its range was not given",
  );
  // A sigmoid lies in 0 … 1 whatever it reads.
  expect([...of.get(values.get("y")!)!.high]).toEqual([1]);
});

test("without a batch norm ahead the ends are bounds: whatever the input holds, convolutions and products stay inside", async () => {
  const weights = "float[5,2,3,3] k, float[5] kb, float[80,4] w";
  const net = `g (float[N,2,6,6] x) => (float[N,4] y, float[N,5,4,4] r) <${weights}> {
    c = Conv(x, k, kb) r = Relu(c) f = Flatten(r) y = MatMul(f, w) }`;
  const made = parseModel(`<ir_version: 8, opset_import: ["": 17]> ${net}`, { seed: 5 });
  const shapes = await traceShapes(made, runtime, { x: Tensor.float32([1, 2, 6, 6], new Float32Array(72)) });
  const found = expectations(made.graph, { shapes, inputs: new Map([["x", between(0, 255)]]) });
  // Images of one colour, of edges, and of nothing but black and white: what is far from independent.
  const random = new Random(2);
  const images = Float32Array.from({ length: 400 * 72 }, (_, i) => {
    const [image, row, column] = [Math.floor(i / 72), Math.floor(i / 6) % 6, i % 6];
    if (image % 4 === 0) return 255;
    if (image % 4 === 1) return row < image % 7 ? 255 : 0;
    if (image % 4 === 2) return column < image % 5 ? 255 : 0;
    return random.uniform() < 0.5 ? 0 : 255;
  });
  await using session = await runtime.open(made);
  const outputs = await session.run({ x: Tensor.float32([400, 2, 6, 6], images) });
  for (const value of made.graph.outputs) {
    const { low, high, basis } = found.of.get(value)!;
    const seen = outputs[value.name]!.floats();
    expect(basis).toBe("bounded");
    const [least, most] = [Math.min(...seen), Math.max(...seen)];
    expect([Math.min(...low) <= least, Math.max(...high) >= most]).toEqual([true, true]);
    // They are bounds of this network and not any: within ten times of what these images reach.
    expect(Math.max(...high)).toBeLessThan(10 * most);
  }
});

test("bounds are believed up to 64 deviations: a chain of layers does not end beyond every grid", () => {
  const layers = Array.from({ length: 12 }, (_, i) => `x${i + 1} = MatMul(x${i}, w${i})`).join(" ");
  const names = Array.from({ length: 12 }, (_, i) => `float[64,64] w${i}`).join(", ");
  const made = parseModel(
    `<ir_version: 8, opset_import: ["": 17]> g (float[N,64] x0) => (float[N,64] x12) <${names}> { ${layers} }`,
    { seed: 3 },
  );
  const found = expectations(made.graph, { shapes: new Map(), inputs: new Map([["x0", between(-1, 1)]]) });
  const { high, mean, deviation } = found.of.get(made.graph.outputs[0]!)!;
  for (let c = 0; c < high.length; c++) {
    expect((high[c]! - mean[c]!) / deviation[c]!).toBeCloseTo(64, 9);
  }
});
