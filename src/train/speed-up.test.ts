/** What speeds training graphs up changes nothing: graphs before and after, and the same step in both layouts. */
import { describe, expect, test } from "vitest";
import { Random, unpackRecord } from "../base/inner.ts";
import { cloneModel, type Model, parseModel } from "../ir/inner.ts";
import { openRuntime, traceShapes } from "../runtime/inner.ts";
import { type Feeds, sizeOf, Tensor } from "../tensor/inner.ts";
import { probeBlock } from "./blocked-layout/index.ts";
import { expandBatchNorms } from "./expand-batch-norms.ts";
import { fuseConvolutions } from "./fuse-convolutions.ts";
import { graphLoss } from "./loss.ts";
import { Shapes } from "./shapes.ts";
import { Trainer } from "./trainer.ts";

const runtime = await openRuntime();
const block = await probeBlock(runtime);

const parse = (text: string) =>
  parseModel(`<ir_version: 10, opset_import: ["" : 21]>\n${text}`, { seed: 5, positive: ["v"] });

const normal = (shape: readonly number[], random = new Random(3)) =>
  Tensor.float32(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => random.normal()),
  );

/** ‖a − b‖ / ‖b‖. */
function distance(a: Tensor, b: Tensor): number {
  const [first, second] = [a.floats(), b.floats()];
  let [apart, length] = [0, 0];
  second.forEach((value, i) => {
    apart += (first[i]! - value) ** 2;
    length += value ** 2;
  });
  return Math.sqrt(apart / length);
}

async function outputsOf(model: Model, feeds: Feeds): Promise<Feeds> {
  await using session = await runtime.open(model, { optimization: "off" });
  return await session.run(feeds);
}

describe("rewritings keep what a graph computes", () => {
  const feeds = { x: normal([4, 5, 6, 6]), z: normal([4, 5, 6, 6], new Random(9)) };

  test("batch norms written out, with their running statistics", async () => {
    const model = parse(`f (float[4,5,6,6] x) => (float[4,5,6,6] y, float[5] m2, float[5] v2)
      <float[5] g, float[5] b, float[5] m, float[5] v> {
        y, m2, v2 = BatchNormalization <training_mode = 1, momentum = 0.8, epsilon = 0.01> (x, g, b, m, v) }`);
    const written = cloneModel(model);
    expandBatchNorms(written, await traceShapes(model, runtime, { x: feeds.x }));
    expect([...written.graph.nodes].some((node) => node.op === "BatchNormalization")).toBe(false);
    const [before, after] = [await outputsOf(model, { x: feeds.x }), await outputsOf(written, { x: feeds.x })];
    // Sums of 144 float32 numbers of size one in another order.
    for (const name of ["y", "m2", "v2"]) expect(distance(after[name]!, before[name]!)).toBeLessThan(2e-6);
  });

  test("an affine per channel, a sum and a Relu become one convolution", async () => {
    const model = parse(`f (float[4,5,6,6] x, float[4,5,6,6] z) => (float[4,5,6,6] y, float[4,3,6,6] w)
      <float[1,5,1,1] s, float[5,1,1] b, float[3,5,1,1] k> {
        t = Mul(x, s)  u = Add(b, t)  q = Add(z, u)  y = Relu(q)  c = Conv(x, k)  w = Relu(c) }`);
    const fused = cloneModel(model);
    fuseConvolutions(fused, new Shapes(fused.graph, await traceShapes(model, runtime, feeds)));
    const ops = [...fused.graph.nodes].map((node) => node.op).filter((op) => op !== "Reshape");
    expect(ops).toEqual(["FusedConv", "FusedConv"]);
    const [before, after] = [await outputsOf(model, feeds), await outputsOf(fused, feeds)];
    for (const name of ["y", "w"]) expect(distance(after[name]!, before[name]!)).toBeLessThan(1e-6);
  });

  test("what others read is not fused away", async () => {
    const model = parse(`f (float[4,5,6,6] x, float[4,5,6,6] z) => (float[4,5,6,6] u, float[4,5,6,6] y)
      <float[1,5,1,1] s, float[5,1,1] b> { t = Mul(x, s)  u = Add(t, b)  y = Add(u, z) }`);
    const fused = cloneModel(model);
    fuseConvolutions(fused, new Shapes(fused.graph, await traceShapes(model, runtime, feeds)));
    expect([...fused.graph.nodes].map((node) => node.op)).toEqual(["Reshape", "Reshape", "Conv", "Add"]);
  });
});

const norm = (n: number, x: string, y: string) =>
  `${y}, m${n}_next, v${n}_next = BatchNormalization <training_mode = 1> (${x}, g${n}, b${n}, m${n}, v${n})`;
const normParameters = (n: number, channels: number) =>
  ["g", "b", "m", "v"].map((name) => `float[${channels}] ${name}${n}`).join(", ");
const conv3 = "kernel_shape = [3,3], pads = [1,1,1,1]";

/** Networks that between them meet every converter of the blocked layout; output y. */
const nets: Readonly<Record<string, { readonly text: string; readonly x: readonly number[] }>> = {
  "residual block with stride": {
    x: [16, 16, 8, 8],
    text: `f (float[16,16,8,8] x) => (float[16,32,1,1] y)
      <float[32,16,3,3] w1, float[32,32,3,3] w2, float[32,16,1,1] w3, ${normParameters(1, 32)}, ${normParameters(2, 32)}> {
        a = Conv <${conv3}, strides = [2,2]> (x, w1)  ${norm(1, "a", "b")}  r = Relu(b)
        c = Conv <${conv3}> (r, w2)  ${norm(2, "c", "d")}  s = Conv <strides = [2,2]> (x, w3)
        e = Add(d, s)  h = Relu(e)  y = GlobalAveragePool(h) }`,
  },
  "depthwise, separable, with stride and dilation": {
    x: [16, 16, 9, 9],
    text: `f (float[16,16,9,9] x) => (float[16,32,1,1] y)
      <float[16,1,3,3] d1, float[32,16,1,1] p1, float[32,1,3,3] d2, float[32,1,3,3] d3, ${normParameters(1, 16)}> {
        a = Conv <${conv3}, group = 16> (x, d1)  ${norm(1, "a", "b")}  r = Relu(b)  c = Conv(r, p1)  t = Tanh(c)
        e = Conv <${conv3}, group = 32, strides = [2,2]> (t, d2)
        h = Conv <kernel_shape = [3,3], pads = [2,2,2,2], dilations = [2,2], group = 32> (e, d3)
        y = GlobalAveragePool(h) }`,
  },
  "few channels and a bias": {
    x: [16, 3, 10, 10],
    text: `f (float[16,3,10,10] x) => (float[16,16,1,1] y)
      <float[8,3,3,3] w1, float[16,8,3,3] w2, float[16] b2, float[16,16,3,3] w3, float[16] b3> {
        a = Conv <${conv3}, strides = [2,2]> (x, w1)  t = Tanh(a)  c = Conv <${conv3}> (t, w2, b2)  r = Relu(c)
        d = Conv <${conv3}> (r, w3, b3)  s = Sigmoid(d)  y = GlobalAveragePool(s) }`,
  },
  "learned quantizers": {
    x: [16, 16, 6, 6],
    text: `f (float[16,16,6,6] x) => (float[16,16,1,1] y)
      <float[16,16,3,3] w1, float[16,16,3,3] w2, float s1 = {0.02}, int8 z = {0}, float[1] s2 = {0.1}, uint8[1] z2 = {3}> {
        q = QuantizeLinear(x, s1, z)  a = DequantizeLinear(q, s1, z)  c = Conv <${conv3}> (a, w1)  t = Tanh(c)
        p = QuantizeLinear(t, s2, z2)  b = DequantizeLinear(p, s2, z2)  d = Conv <${conv3}> (b, w2)
        h = Mul(d, b)  k = Sub(h, d)  y = ReduceMean <keepdims = 1> (k, axes) }`.replace(
      "<float[16,16,3,3] w1",
      "<int64[2] axes = {2,3}, float[16,16,3,3] w1",
    ),
  },
  "plain operators in between": {
    x: [5, 16, 8, 8],
    text: `f (float[5,16,8,8] x) => (float[5,32,1,1] y) <float[16,16,3,3] w1, float[32,16,3,3] w2, float[1,16,1,1] s> {
        a = Conv <${conv3}> (x, w1)  m = MaxPool <kernel_shape = [2,2], strides = [2,2]> (a)  b = Mul(m, s)  e = Add(b, m)
        i = InstanceNormalization(e, one, zero)  d = Conv <${conv3}> (i, w2)  y = GlobalAveragePool(d) }`.replace(
      "float[1,16,1,1] s>",
      "float[1,16,1,1] s, float[16] one, float[16] zero>",
    ),
  },
};

describe("the blocked layout gives what standard operators give", () => {
  const loss = graphLoss([], (e, outputs) => e.sum(e.mul(outputs.y!, e.op("Sin", [outputs.y!]))));

  /** The flat gradient: without momentum's past, the velocity after one step. */
  async function gradient(name: string, kernels: "fast" | "standard", on = runtime) {
    const { text, x } = nets[name]!;
    const model = parse(text);
    const names = [...model.graph.initializers].map((value) => value.name);
    const states = names.filter((n) => /^[mv]\d/.test(n)).map((n) => ({ name: n, next: `${n}_next` }));
    const trained = names.filter((n) => !/^([mv]\d|z|axes)/.test(n));
    const spec = {
      model,
      example: { x: normal(x) },
      groups: [{ names: trained }],
      states,
      loss,
      optimizer: { kind: "sgd", momentum: 0.9 } as const,
      rate: 0,
      kernels,
    };
    await using trainer = await Trainer.open(spec, on);
    const step = await trainer.step(spec.example);
    const { velocity } = unpackRecord(trainer.save()).arrays as { readonly velocity: Float32Array };
    const domains = new Set([...trainer.graph.model.graph.nodes].map((node) => node.domain));
    const gradients = trainer.graph.parameters.unpack(velocity);
    return { loss: step.loss, gradients, statistics: trainer.statistics(), domains };
  }

  test.each(Object.keys(nets))("%s", async (name) => {
    const [fast, standard] = [await gradient(name, "fast"), await gradient(name, "standard")];
    expect(fast.domains.has("com.microsoft.nchwc")).toBe(block > 0);
    expect(standard.domains.has("com.microsoft.nchwc")).toBe(false);
    expect(Math.abs(fast.loss - standard.loss)).toBeLessThan(1e-5 * (1 + Math.abs(standard.loss)));
    const largest = Math.max(...[...standard.gradients.values()].map((tensor) => largestOf(tensor)));
    expect(largest).toBeGreaterThan(0.01);
    for (const [parameter, expected] of standard.gradients) {
      const found = fast.gradients.get(parameter)!.floats();
      const apart = Math.max(...expected.floats().map((value, i) => Math.abs(value - found[i]!)));
      // Sums of up to a thousand float32 numbers in another order, through several layers.
      expect(apart, parameter).toBeLessThan(2e-5 * largest);
    }
    for (const [state, expected] of standard.statistics) {
      expect(distance(fast.statistics.get(state)!, expected), state).toBeLessThan(1e-5);
    }
  });

  test("WebAssembly has none, and a step gives the same there", async () => {
    const web = await openRuntime("ort-web");
    expect(await probeBlock(web)).toBe(0);
    const [name] = Object.keys(nets);
    const [there, here] = [await gradient(name!, "fast", web), await gradient(name!, "standard")];
    expect(there.domains.has("com.microsoft.nchwc")).toBe(false);
    for (const [parameter, expected] of here.gradients) {
      expect(distance(there.gradients.get(parameter)!, expected), parameter).toBeLessThan(1e-4);
    }
  });
});

function largestOf(tensor: Tensor): number {
  return Math.max(...tensor.floats().map(Math.abs));
}
