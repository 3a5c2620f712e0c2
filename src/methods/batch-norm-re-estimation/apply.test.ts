import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { arrayData } from "../../../test/array-data.ts";
import { fixture, missing } from "../../../test/fixtures.ts";
import { Random } from "../../base/inner.ts";
import { samples } from "../../data/inner.ts";
import { openData } from "../../data/inner-node.ts";
import { readModelFile } from "../../formats/inner-node.ts";
import { type Model, parseModel } from "../../ir/inner.ts";
import { normalise } from "../../passes/inner.ts";
import { builtinTarget, calibrate, lower, parseGrid, place, quantizeDequantize } from "../../quant/inner.ts";
import { openRuntime, traceShapes } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { reestimateBatchNorms, restoreConstants } from "./apply.ts";
import { MomentSum } from "./channel-moments.ts";
import { reestimateFoldedBatchNorms } from "./folded.ts";

const runtime = await openRuntime();

const text = `<ir_version: 8, opset_import: ["" : 15]> net (float[N,3,8,8] x) => (float[N,8,8,8] y) <float[6,3,3,3] w1, float[6] g1, float[6] b1, float[6] m1, float[6] v1,
    float[6,1,3,3] w2, float[6] g2, float[6] b2, float[6] m2, float[6] v2, float[8,6,1,1] w3, float[8] g3, float[8] b3, float[8] m3, float[8] v3> {
  c1 = Conv<pads=[1,1,1,1]>(x, w1)
  n1 = BatchNormalization(c1, g1, b1, m1, v1)
  r1 = Relu(n1)
  c2 = Conv<group=6, pads=[1,1,1,1]>(r1, w2)
  n2 = BatchNormalization(c2, g2, b2, m2, v2)
  r2 = Relu(n2)
  c3 = Conv(r2, w3)
  y = BatchNormalization(c3, g3, b3, m3, v3)
}`;

function pictures(count: number, seed: number) {
  const random = new Random(seed);
  const values = Float32Array.from({ length: count * 192 }, () => random.normal(0.3, 1));
  return arrayData({ x: Tensor.float32([count, 3, 8, 8], values) });
}

const statistics = ["m1", "v1", "m2", "v2", "m3", "v3"];
const numbers = (model: Model, name: string) => model.graph.valuesByName().get(name)!.initializer!.floats();

/** The net with γ near one, and with the statistics of this data. */
async function trained() {
  const model = parseModel(text, { seed: 5 });
  const random = new Random(6);
  const values = model.graph.valuesByName();
  for (const [name, value] of values) {
    if (/^[gv]\d/.test(name)) {
      const { shape, size } = value.initializer!;
      value.initializer = Tensor.float32(
        shape,
        Float32Array.from({ length: size }, () => random.uniform(0.5, 1.5)),
      );
    }
  }
  const data = pictures(40, 1);
  return { data, model: (await reestimateBatchNorms(model, { runtime, data })).model };
}

/** Statistics that belong to another net. */
function broken(model: Model): Model {
  const random = new Random(7);
  return restoreConstants(
    model,
    new Map(
      statistics.map((name) => {
        const old = numbers(model, name);
        const moved = old.map((x) => (name.startsWith("m") ? x + random.normal() : x * random.uniform(0.2, 5)));
        return [name, Tensor.float32([old.length], moved)];
      }),
    ),
  );
}

test("moments of parts join to those of the whole", () => {
  const random = new Random(1);
  const all = Array.from({ length: 60 }, () => random.normal(100, 1));
  const moments = (xs: readonly number[]) => {
    const mean = xs.reduce((a, b) => a + b, 0) / xs.length;
    return [mean, xs.reduce((a, x) => a + (x - mean) ** 2, 0) / xs.length] as const;
  };
  const sum = new MomentSum();
  for (const [from, to] of [
    [0, 10],
    [10, 50],
    [50, 60],
  ] as const) {
    const [mean, variance] = moments(all.slice(from, to));
    sum.see([mean], [variance], to - from);
  }
  const [mean, variance] = moments(all);
  expect(sum.result().mean[0]).toBeCloseTo(mean, 10);
  expect(sum.result().variance[0]).toBeCloseTo(variance, 10);
});

test("one after the other, statistics that were broken on purpose come back", async () => {
  const { model, data } = await trained();
  const wrong = broken(model);
  const { model: right, before, report } = await reestimateBatchNorms(wrong, { runtime, data });
  expect(report.edits).toBe(3);
  for (const name of statistics) {
    numbers(model, name).forEach((expected, c) => {
      // Sums of 2,560 numbers of size one in float32, in an order that the batches give.
      expect(Math.abs(numbers(right, name)[c]! - expected)).toBeLessThan(1e-5 * Math.max(1, Math.abs(expected)));
    });
  }
  // Nothing else has changed, the broken model neither, and the way back is exact.
  for (const value of wrong.graph.initializers) {
    if (statistics.includes(value.name)) continue;
    expect(right.graph.valuesByName().get(value.name)!.initializer).toBe(value.initializer);
  }
  const back = restoreConstants(right, before);
  for (const name of statistics) {
    expect(numbers(right, name)).not.toEqual(numbers(wrong, name));
    expect(numbers(back, name)).toEqual(numbers(wrong, name));
  }
});

test("by batches, the statistics are the mean of those of each batch, as AIMET's", async () => {
  const one =
    parseModel(`<ir_version: 8, opset_import: ["" : 15]> net (float[N,2,5] x) => (float[N,2,5] y) <float[2] g = {1, 1}, float[2] b = {0, 0}, float[2] m = {3, 3}, float[2] v = {4, 4}> {
    y = BatchNormalization(x, g, b, m, v)
  }`);
  const random = new Random(3);
  const x = Float32Array.from({ length: 230 }, (_, i) => random.normal(i % 10 < 5 ? 2 : -1, 1 + (i > 100 ? 1 : 0)));
  const data = arrayData({ x: Tensor.float32([23, 2, 5], x) });
  const { model } = await reestimateBatchNorms(one, { runtime, data }, { pass: "batches", batch: 5 });
  const [means, variances] = [0, 1].map(() => [0, 0]) as [number[], number[]];
  for (let batch = 0; batch < 4; batch++) {
    for (const c of [0, 1]) {
      const seen = Array.from(x).filter((_, i) => Math.floor(i / 50) === batch && Math.floor(i / 5) % 2 === c);
      const mean = seen.reduce((a, b) => a + b, 0) / seen.length;
      means[c]! += mean / 4;
      variances[c]! += seen.reduce((a, b) => a + (b - mean) ** 2, 0) / seen.length / 4;
    }
  }
  for (const c of [0, 1]) {
    expect(numbers(model, "m")[c]).toBeCloseTo(means[c]!, 5);
    expect(numbers(model, "v")[c]).toBeCloseTo(variances[c]!, 5);
  }
});

test("folded: means and variances of each layer come back where they were in float, and integers stay", async () => {
  const { model, data } = await trained();
  await normalise(model, { runtime });
  const target = builtinTarget("aimet-default");
  const shapes = await traceShapes(model, runtime, { x: Tensor.float32([1, 3, 8, 8], new Float32Array(192)) });
  const placed = place(model, target, { shapes, weights: parseGrid("int3"), granularity: "channel" });
  const { plan } = await calibrate(model, placed, runtime, data, { scheme: "minmax" });
  const result = await reestimateFoldedBatchNorms(model, plan, { runtime, data }, { reference: model });
  expect(result.report.edits).toBe(3);
  const outputs = async (candidate: Model) => {
    await using session = await runtime.open(candidate, { fuseQdq: false });
    for await (const { feeds } of data.batches(40)) return (await session.run(feeds)).y!.floats();
    throw new Error("no data");
  };
  const wanted = await outputs(model);
  const moments = (y: Float32Array) =>
    Array.from({ length: 8 }, (_, c) => {
      const seen = y.filter((_, i) => Math.floor(i / 64) % 8 === c);
      const mean = seen.reduce((a, b) => a + b, 0) / seen.length;
      return [mean, Math.sqrt(seen.reduce((a, x) => a + (x - mean) ** 2, 0) / seen.length)];
    }).flat();
  const apart = (a: readonly number[], b: readonly number[]) => Math.max(...a.map((x, i) => Math.abs(x - b[i]!)));
  const entries = new Map(result.plan.entries.map((entry) => [entry.value, entry]));
  const [plain, corrected] = [
    await outputs(lower(model, plan).model),
    await outputs(lower(result.model, result.plan).model),
  ];
  // What is left is the quantizer of the output itself: half a step of a range of about eight at 8 bits.
  expect(apart(moments(wanted), moments(corrected))).toBeLessThan(0.02);
  expect(apart(moments(wanted), moments(plain))).toBeGreaterThan(0.1);
  for (const { value, encoding, kind } of plan.entries) {
    if (kind !== "weight") continue;
    const after = entries.get(value)!;
    expect(after.frozen).toBe(true);
    const integers = (of: Model, { scale }: { readonly scale: readonly number[] }) => {
      const w = numbers(of, value);
      return Array.from(w, (x, i) => Math.round(x / scale[Math.floor(i / (w.length / scale.length))]!));
    };
    const rounded = quantizeDequantize(model.graph.valuesByName().get(value)!.initializer!, encoding!);
    const old = Array.from(rounded.floats(), (x, i) =>
      Math.round(x / encoding!.scale[Math.floor(i / (rounded.size / encoding!.scale.length))]!),
    );
    expect(integers(result.model, after.encoding!)).toEqual(old);
  }
});

const needs = ["mobilenetv1-025-imagenet/mobilenet_v1_0.25_224.onnx", "imagenet1k-sample/index.json"];

test.skipIf(missing(...needs))("a real network whose statistics were broken sees again", async () => {
  const model = readModelFile(fixture(needs[0]!));
  const random = new Random(1);
  const wrong = readModelFile(fixture(needs[0]!));
  for (const node of wrong.graph.nodes) {
    if (node.op !== "BatchNormalization") continue;
    for (const index of [3, 4]) {
      const value = node.input(index)!;
      const { shape } = value.initializer!;
      const moved = value
        .initializer!.floats()
        .map((x) => (index === 3 ? x + random.normal(0, 0.5) : x * random.uniform(0.3, 3)));
      value.initializer = Tensor.float32(shape, moved);
    }
  }
  const inputs = model.graph.inputs.map(({ name, type }) => ({
    name,
    dtype: "float32" as const,
    shape: type?.kind === "tensor" ? type.shape : null,
  }));
  const preprocess = JSON.parse(readFileSync("bench/preprocess/mobilenet-v1.json", "utf8"));
  const data = await openData(fixture(`${needs[1]}?every=40`), { inputs, preprocess, cacheBytes: 1e9 });
  const others = samples(await openData(fixture(`${needs[1]}?except-every=5`), { inputs, preprocess }), 30);
  const { model: right } = await reestimateBatchNorms(wrong, { runtime, data, batch: 5 });
  const guesses = async (candidate: Model) => {
    await using session = await runtime.open(candidate);
    const found: number[] = [];
    for await (const { feeds, size } of others.batches(10)) {
      const scores = Object.values(await session.run(feeds))[0]!.floats();
      const each = scores.length / size;
      for (let i = 0; i < size; i++) {
        const own = scores.subarray(i * each, (i + 1) * each);
        found.push(own.indexOf(Math.max(...own)));
      }
    }
    return found;
  };
  const truth = await guesses(model);
  const agree = (found: readonly number[]) => found.filter((guess, i) => guess === truth[i]).length / truth.length;
  const [lost, found] = [agree(await guesses(wrong)), agree(await guesses(right))];
  expect(lost).toBeLessThan(0.1);
  expect(found).toBeGreaterThan(0.6);
});
