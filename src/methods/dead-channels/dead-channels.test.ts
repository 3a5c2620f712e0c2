/** Constant channels leave the weights that read them, exactly, and only where that is exact. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { blocks, graphOf } from "../../../test/block-graphs.ts";
import { fixture, missing } from "../../../test/fixtures.ts";
import { expectSameOutputs } from "../../../test/same-outputs.ts";
import { readModelFile } from "../../formats/inner-node.ts";
import { type Model, parseModel } from "../../ir/inner.ts";
import { normalise } from "../../passes/inner.ts";
import { openRuntime } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { removeDeadChannels } from "./apply.ts";
import { constants, linear, product, uniform } from "./math.ts";

const runtime = await openRuntime();
const parse = (text: string) => parseModel(text, { seed: 7 });
const dataOf = (model: Model, name: string) => model.graph.valuesByName().get(name)!.initializer!;

/** Kills channels of a weight [channels, …]: tiny numbers as folding leaves them (inputs are taken to reach 1e6), and a bias. */
function kill(model: Model, weight: string, bias: string, channels: readonly number[], constant: number): void {
  const [w, b] = [dataOf(model, weight), dataOf(model, bias)];
  const inner = w.size / w.shape[0]!;
  const values = model.graph.valuesByName();
  const isDead = (c: number) => channels.includes(c);
  const tiny = Float32Array.from(w.floats(), (x, i) => (isDead(Math.floor(i / inner)) ? x * 1e-18 : x));
  values.get(weight)!.initializer = Tensor.float32(w.shape, tiny);
  values.get(bias)!.initializer = Tensor.float32(
    b.shape,
    Float32Array.from(b.floats(), (x, c) => (isDead(c) ? constant : x)),
  );
}

/** The largest weight of each input channel of a Conv weight. */
function columns(model: Model, name: string): number[] {
  const { shape } = dataOf(model, name);
  const inner = shape.slice(2).reduce((a, b) => a * b, 1);
  const most = new Array<number>(shape[1]!).fill(0);
  dataOf(model, name)
    .floats()
    .forEach((w, i) => {
      const c = Math.floor(i / inner) % shape[1]!;
      most[c] = Math.max(most[c]!, Math.abs(w));
    });
  return most;
}

const net = (
  middle: string,
  attributes = "",
) => `<ir_version: 8, opset_import: ["": 17]> f (float[2,3,7,7] x) => (float[] y)
  <float[4,3,3,3] w, float[4] b, float[5,4,3,3] v, float[5] d, float[4,1,3,3] k, float[4] e, float l = {0}, float h = {6}> {
    c = Conv(x, w, b)
    ${middle}
    y = Conv ${attributes} (r, v, d) }`;

describe("a channel that is always zero", () => {
  test("leaves its readers, padded ones too, and its own row and bias become zero", async () => {
    const before = parse(net("r = Relu(c)", "<pads = [1,1,1,1]>"));
    kill(before, "w", "b", [1, 3], -0.4);
    const { model, report } = await removeDeadChannels(before, { runtime });
    expect(columns(model, "v").map((most) => most === 0)).toEqual([false, true, false, true]);
    expect(dataOf(model, "b").floats()[1]).toBe(0);
    expect(
      dataOf(model, "w")
        .floats()
        .subarray(27, 54)
        .every((w) => w === 0),
    ).toBe(true);
    expect(report.notes.join("\n")).toContain("2 of 4 input channels are constant");
    await expectSameOutputs(before, model);
  });

  test("passes through a depthwise convolution, which makes a constant of it again", async () => {
    const before = parse(net("r0 = Clip(c, l, h)\n q = Conv <group = 4, pads = [1,1,1,1]> (r0, k, e)\n r = Relu(q)"));
    kill(before, "w", "b", [0], -1);
    const { model } = await removeDeadChannels(before, { runtime });
    expect(
      dataOf(model, "k")
        .floats()
        .subarray(0, 9)
        .every((w) => w === 0),
    ).toBe(true);
    expect(columns(model, "v")[0]).toBe(0);
    await expectSameOutputs(before, model, { atol: 1e-5 /* the constant moved into a bias */ });
  });
});

describe("a channel that is always the same", () => {
  test("goes into the bias of an unpadded reader", async () => {
    const before = parse(net("r = Relu(c)"));
    kill(before, "w", "b", [2], 1.5);
    const { model } = await removeDeadChannels(before, { runtime });
    expect(columns(model, "v")[2]).toBe(0);
    await expectSameOutputs(before, model, { atol: 1e-5 /* 9 products moved into a bias */ });
  });

  test("stays in a padded reader, whose border sees zeros, with the reason", async () => {
    const before = parse(net("r = Relu(c)", "<pads = [1,1,1,1]>"));
    kill(before, "w", "b", [2], 1.5);
    const { model, report } = await removeDeadChannels(before, { runtime });
    expect(columns(model, "v")[2]).toBeGreaterThan(0);
    expect(report.notes.join("\n")).toMatch(/1 constant channels stay: its borders see zeros/);
    await expectSameOutputs(before, model, { atol: 1e-6 /* the tiny weights went */ });
  });

  test("stays alive where two branches read it and one of them is padded", async () => {
    const before = parse(`f (float[2,3,7,7] x) => (float[] y, float[] z)
      <float[4,3,3,3] w, float[4] b, float[5,4,3,3] v, float[5,4,3,3] u> {
        c = Conv(x, w, b)
        r = Relu(c)
        y = Conv(r, v)
        z = Conv <pads = [1,1,1,1]> (r, u) }`);
    kill(before, "w", "b", [2], 0.75);
    const { model } = await removeDeadChannels(before, { runtime });
    expect([columns(model, "v")[2], dataOf(model, "b").floats()[2]]).toEqual([0, 0.75]);
    await expectSameOutputs(before, model, { atol: 1e-5 /* 9 products moved into a bias */ });
  });
});

test("through a residual addition, a concatenation, pooling and a flattened matrix product", async () => {
  const before =
    parse(`f (float[2,3,6,6] x) => (float[] y) <float[4,3,1,1] w, float[4] b, float[4,4,1,1] v, float[4] d, float[5,32] g> {
    c = Conv(x, w, b)
    r = Relu(c)
    c2 = Conv(r, v, d)
    s = Relu(c2)
    a = Add(r, s)
    t = Concat <axis = 1> (a, s)
    p = MaxPool <kernel_shape = [3,3], strides = [3,3]> (t)
    f = Flatten(p)
    y = Gemm <transB = 1> (f, g) }`);
  kill(before, "w", "b", [1], -1);
  kill(before, "v", "d", [1, 2], -1);
  const { model } = await removeDeadChannels(before, { runtime });
  const { shape } = dataOf(model, "g");
  const row = dataOf(model, "g").floats().subarray(0, shape[1]!);
  const isZero = Array.from({ length: 8 }, (_, c) => row.subarray(4 * c, 4 * c + 4).every((w) => w === 0));
  expect(isZero).toEqual([false, true, false, false, false, true, true, false]);
  await expectSameOutputs(before, model, { atol: 1e-6 /* the tiny weights went */ });
});

test("over generated graphs with dead channels anywhere, the function stays", async () => {
  const channel = fc.uniqueArray(fc.nat(7), { maxLength: 4 });
  const block = fc.record({
    name: fc.constantFrom(...Object.keys(blocks)),
    // What a channel then always is: cut off by a Relu behind it, or not.
    dead: channel,
    constant: fc.constantFrom(-0.5, 0.75),
  });
  let released = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(block, { minLength: 1, maxLength: 6 }), fc.nat(1000), async (chosen, seed) => {
      const killed = chosen.flatMap((one) => [one, { ...one, name: "relu", dead: [] }]);
      const before = graphOf(["conv", ...killed.map(({ name }) => name), "conv"], seed);
      for (const [i, { name, dead, constant }] of killed.entries()) {
        if (name === "conv" || name === "depthwise") kill(before, `w${i + 1}`, `b${i + 1}`, dead, constant);
      }
      const { model, report } = await removeDeadChannels(before, { runtime });
      // Float32 sums of up to 512 products, a dozen layers deep, in another order.
      await expectSameOutputs(before, model, { atol: 1e-6, ofRange: 5e-5, seed });
      released += report.edits;
    }),
    { numRuns: 30, seed: 5 },
  );
  expect(released).toBeGreaterThan(12);
});

test("without dead channels nothing changes", async () => {
  const before = parse(net("r = Relu(c)"));
  const { model, report } = await removeDeadChannels(before, { runtime });
  expect(report).toMatchObject({ step: "dead-channels", edits: 0, notes: ["no channel is provably constant"] });
  expect(model).not.toBe(before);
});

describe("intervals", () => {
  test("contain every product of what they bound", () => {
    const end = fc.double({ min: -5, max: 5, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(end, { minLength: 8, maxLength: 8 }),
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 3, maxLength: 3 }),
        (n, at) => {
          const [lo, hi] = [n.slice(0, 3), n.slice(3, 6)].map((xs) => Float64Array.from(xs)) as [
            Float64Array,
            Float64Array,
          ];
          const x = { lo: lo.map((v, c) => Math.min(v, hi[c]!)), hi: lo.map((v, c) => Math.max(v, hi[c]!)) };
          const inside = at.map((t, c) => x.lo[c]! + t * (x.hi[c]! - x.lo[c]!));
          const weight = [n[6]!, n[7]!, n[0]!];
          const y = linear(weight, { output: () => 0, input: (i) => i }, [n[1]!], x);
          const value = inside.reduce((sum, v, c) => sum + v * weight[c]!, n[1]!);
          expect(value).toBeGreaterThanOrEqual(y.lo[0]! - 1e-9);
          expect(value).toBeLessThanOrEqual(y.hi[0]! + 1e-9);
          const square = product(x, x);
          inside.forEach((v, c) => {
            expect(v * v).toBeGreaterThanOrEqual(square.lo[c]! - 1e-9);
            expect(v * v).toBeLessThanOrEqual(square.hi[c]! + 1e-9);
          });
        },
      ),
      { numRuns: 100 },
    );
  });

  test("call a channel constant when its width is lost in float32, and never what is unbounded", () => {
    const intervals = {
      lo: Float64Array.of(0, 1, -1, 2),
      hi: Float64Array.of(1e-12, 1 + 1e-8, 1, Number.POSITIVE_INFINITY),
    };
    expect([...constants(intervals)]).toEqual([0, 1 + 5e-9, Number.NaN, Number.NaN]);
    expect([...constants(uniform(2, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY))]).toEqual([
      Number.NaN,
      Number.NaN,
    ]);
  });
});

const fixtures: Record<string, { path: string; edits: number }> = {
  MobileNetV1: { path: "mobilenetv1-025-imagenet/mobilenet_v1_0.25_224.onnx", edits: 10 },
  "ResNet-20": { path: "resnet-cifar10-akamaster/resnet20.onnx", edits: 0 },
  ESPNet: { path: "espnet-camvid/espnet_camvid.onnx", edits: 0 },
  FastestDet: { path: "fastestdet-coco/FastestDet.onnx", edits: 0 },
  "basic-pitch": { path: "basic-pitch/nmp.onnx", edits: 0 },
};
for (const [name, { path, edits }] of Object.entries(fixtures)) {
  test.skipIf(missing(path))(`${name} computes what it did`, async () => {
    const before = readModelFile(fixture(path));
    await normalise(before, { runtime });
    const { model, report } = await removeDeadChannels(before, { runtime });
    expect(report.edits).toBeGreaterThanOrEqual(edits);
    await expectSameOutputs(before, model, {
      atol: 1e-6,
      ofRange: 1e-5 /* constants moved into biases */,
      session: {},
    });
  });
}

test.skipIf(missing(fixtures.MobileNetV1!.path))("MobileNetV1 loses the weights of 76 that nothing feeds", async () => {
  const before = readModelFile(fixture(fixtures.MobileNetV1!.path));
  await normalise(before, { runtime });
  const { model } = await removeDeadChannels(before, { runtime });
  const largest = (of: Model) => {
    const reader = [...of.graph.nodes].find((node) => node.name === "conv_dw_3")!;
    return reader
      .input(1)!
      .initializer!.floats()
      .reduce((most, w) => Math.max(most, Math.abs(w)), 0);
  };
  expect(largest(before)).toBeCloseTo(75.98, 1);
  expect(largest(model)).toBeLessThan(20);
});
