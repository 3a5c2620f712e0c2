/** Compression end to end on a small network with correlated data: budgets are kept, moments beat the plain form, wrong input is told. */
import { describe, expect, test } from "vitest";
import { arrayData } from "../../test/array-data.ts";
import { macsOf, parametersOf } from "../analysis/inner.ts";
import { mergeSensitivities, readSensitivities } from "../analysis/inner-files.ts";
import { Random } from "../base/inner.ts";
import { inferTypes } from "../facts/inner.ts";
import { check, type Model, parseModel } from "../ir/inner.ts";
import { openRuntime } from "../runtime/inner.ts";
import { sizeOf, Tensor } from "../tensor/inner.ts";
import { compressModel } from "./compress.ts";
import type { CompressOptions, ModelScorer } from "./options.ts";

const runtime = await openRuntime("ort-node");

const net = (batch: string) =>
  parseModel(
    `<ir_version: 10, opset_import: ["" : 21]> g (float[${batch},3,12,12] x) => (y)
    <float[12,3,3,3] w1, float[12] b1, float[16,12,3,3] w2, float[16] b2, float[16,1,3,3] w3, float[10,16] w4, float[10] b4> {
      [stem] a = Conv <pads = [1, 1, 1, 1]> (x, w1, b1)
      b = Relu(a)
      [body] c = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (b, w2, b2)
      d = Relu(c)
      [deep] e = Conv <pads = [1, 1, 1, 1], group = 16> (d, w3)
      p = GlobalAveragePool(e)
      f = Flatten(p)
      [head] y = Gemm <transB = 1> (f, w4, b4)
    }`,
    { seed: 4 },
  );
const model = net("N");

/** Smooth images: neighbours are alike, as in pictures. */
function images(count: number, seed: number): Tensor {
  const random = new Random(seed);
  const shape = [count, 3, 12, 12];
  const data = new Float32Array(sizeOf(shape));
  for (let n = 0; n < count; n++) {
    const [u, v, level] = [random.normal(), random.normal(), random.normal()];
    for (let c = 0; c < 3; c++)
      for (let i = 0; i < 144; i++) {
        const [row, column] = [Math.floor(i / 12) - 6, (i % 12) - 6];
        data[(n * 3 + c) * 144 + i] = level + 0.2 * (u * row + v * column * (c - 1)) + 0.1 * random.normal();
      }
  }
  return Tensor.float32(shape, data);
}
const data = arrayData({ x: images(48, 1) });
const others = images(48, 2);

/** Mean squared difference of the outputs on images that were not fitted on, relative to their size. */
async function loss(other: Model): Promise<number> {
  await using float = await runtime.open(model);
  await using session = await runtime.open(other);
  const [a, b] = [(await float.run({ x: others })).y!.floats(), (await session.run({ x: others })).y!.floats()];
  const size = a.reduce((sum, value) => sum + value * value, 0);
  return a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0) / size;
}

const scorer = (): ModelScorer & { asked: number } => ({
  asked: 0,
  metric: { name: "error", unit: "", better: "lower" },
  async score(other) {
    this.asked++;
    return await loss(other);
  },
});

const compress = (options: CompressOptions) => compressModel(model, data, runtime, options);

describe.each(["macs", "parameters"] as const)("a budget of %s", (by) => {
  test.each([0.7, 0.4])("of %d is kept, and nearly used", async (share) => {
    const { model: smaller, cost, layers, prepared } = await compress({ target: { [by]: share } as { macs: number } });
    expect(cost.after[by]).toBeLessThanOrEqual(share * cost.before[by]);
    expect(cost.after[by]).toBeGreaterThan(0.85 * share * cost.before[by]);
    // What is said is what the graph has.
    check(smaller, "the compressed model");
    const types = inferTypes(smaller);
    expect(cost.after).toEqual({ macs: macsOf(smaller, types), parameters: parametersOf(smaller) });
    const saved = layers.reduce((sum, { [by]: [before, after] }) => sum + before - after, 0);
    expect(cost.before[by] - cost.after[by]).toBe(saved);
    expect(parametersOf(prepared)).toBe(cost.before.parameters);
  });
});

test("fitted on moments, a network loses less than half of what the plain decomposition loses, at the same ranks", async () => {
  const aware = await compress({ target: { macs: 0.45 }, schemes: ["spatial-svd"] });
  const ratios = Object.fromEntries(
    aware.layers.map(({ layer, macs: [before, after] }) => [layer, (after + 1e-6) / before]),
  );
  const plain = await compress({ ratios, schemes: ["spatial-svd"], fit: "plain" });
  expect(plain.layers.map(({ rank }) => rank)).toEqual(aware.layers.map(({ rank }) => rank));
  expect(await loss(aware.model)).toBeLessThan(0.5 * (await loss(plain.model)));
});

test("a layer without a bias keeps its mean by its weights", async () => {
  const bare = parseModel(
    '<ir_version: 10, opset_import: ["" : 21]> g (float[N,8] x) => (y) <float[10,8] w> { [only] y = Gemm <transB = 1> (x, w) }',
    { seed: 2 },
  );
  const random = new Random(3);
  // The mean is large, what varies is small: a fit around the mean would lose the mean.
  const x = Tensor.float32(
    [200, 8],
    Float32Array.from({ length: 1600 }, (_, i) => 3 + (i % 8) + 0.1 * random.normal()),
  );
  const { model: smaller, layers } = await compressModel(bare, arrayData({ x }), runtime, { ratios: { only: 0.5 } });
  expect(layers).toMatchObject([{ rank: 2 }]);
  await using float = await runtime.open(bare);
  await using session = await runtime.open(smaller);
  const [a, b] = [(await float.run({ x })).y!.floats(), (await session.run({ x })).y!.floats()];
  const size = Math.sqrt(a.reduce((sum, value) => sum + value * value, 0) / a.length);
  // What varies is one part in fifty of the mean.
  expect(Math.max(...a.map((value, i) => Math.abs(value - b[i]!)))).toBeLessThan(0.1 * size);
});

test("full ranks leave the network as it is, on moments too", async () => {
  // Shares just below one keep nearly all; the largest rank is all of the layer.
  const { model: same, layers } = await compress({ ratios: { head: 0.999 }, schemes: ["output-svd"] });
  expect(layers.map(({ rank }) => rank)).toEqual([6]);
  expect(await loss(same)).toBeLessThan(0.05);
});

test("the choice by predicted losses is no worse than AIMET's by scores, and asks for none of them", async () => {
  const [own, greedy] = [scorer(), scorer()];
  const moments = await compress({ target: { macs: 0.5 }, schemes: ["spatial-svd"], scorer: own });
  const metric = await compress({
    target: { macs: 0.5 },
    schemes: ["spatial-svd"],
    selection: "metric",
    scorer: greedy,
    monotone: true,
  });
  expect(own.asked).toBe(0);
  const tried = metric.sensitivities.layers.reduce((sum, { candidates }) => sum + candidates.length, 0);
  expect(greedy.asked).toBe(tried + 1);
  expect(metric.cost.after.macs).toBeLessThanOrEqual(0.5 * metric.cost.before.macs);
  expect(await loss(moments.model)).toBeLessThan(1.1 * (await loss(metric.model)));
});

test("sensitivities are data: saved, read, merged, and not computed again", async () => {
  const first = scorer();
  const options = { target: { macs: 0.5 }, schemes: ["spatial-svd"], selection: "metric", candidates: 4 } as const;
  const once = await compress({ ...options, scorer: first });
  const text = JSON.stringify(once.sensitivities);
  const read = readSensitivities(text, "saved.json");
  expect(read).toEqual(once.sensitivities);
  const second = scorer();
  const again = await compress({ ...options, scorer: second, sensitivities: read });
  expect(second.asked).toBe(0);
  expect(again.layers).toEqual(once.layers);
  const predicted = await compress({ target: { macs: 0.5 }, schemes: ["spatial-svd"], candidates: 4 });
  const both = mergeSensitivities(read, predicted.sensitivities);
  for (const { candidates } of both.layers)
    for (const { loss: lost, score } of candidates) expect([typeof lost, typeof score]).toEqual(["number", "number"]);
  expect(() => readSensitivities('{"version": 2}', "saved.json")).toThrow(/expected sensitivities of compress/);
  const other = { ...read, layers: read.layers.map((layer) => ({ ...layer, macs: 1 })) };
  expect(() => mergeSensitivities(read, other)).toThrow(/of one model/);
});

test("the given model is not changed, a model with a fixed batch of one and plain ratios need no data", async () => {
  const fixed = net("1");
  const before = macsOf(fixed, inferTypes(fixed));
  const { layers, refused } = await compressModel(fixed, null, runtime, {
    ratios: { body: 0.5 },
    fit: "plain",
  }).then(({ layers, sensitivities: { refused } }) => ({ layers, refused }));
  expect(layers).toHaveLength(1);
  expect(refused).toEqual([{ layer: "deep", reason: "it has groups" }]);
  expect(macsOf(fixed, inferTypes(fixed))).toBe(before);
});

test("channels go within a budget, alone and before layers are split", async () => {
  const channels = await compress({ target: { macs: 0.5 }, schemes: ["channel-pruning"] });
  const both = await compress({ target: { macs: 0.5 }, schemes: ["channel-pruning", "output-svd"] });
  for (const { model: smaller, cost } of [channels, both]) {
    check(smaller, "the compressed model");
    const types = inferTypes(smaller);
    expect(cost.after).toEqual({ macs: macsOf(smaller, types), parameters: parametersOf(smaller) });
    expect(cost.after.macs).toBeLessThanOrEqual(0.5 * cost.before.macs);
    expect(cost.after.macs).toBeGreaterThan(0.35 * cost.before.macs);
  }
  expect(new Set(both.layers.map(({ scheme }) => scheme))).toEqual(new Set(["channel-pruning", "output-svd"]));
  // The classifier's outputs are the model's.
  expect(channels.sensitivities.refused).toContainEqual({ layer: "head", reason: "it is an output of the model" });
  const norms = await compress({ target: { macs: 0.5 }, schemes: ["channel-pruning"], fit: "plain" });
  expect(await loss(channels.model)).toBeLessThan(0.5 * (await loss(norms.model)));
});

test("a multiple of ranks, and layers that are to stay", async () => {
  const { layers } = await compress({ target: { macs: 0.8 }, multiple: 4, ignore: ["stem"] });
  expect(layers.map(({ layer }) => layer)).not.toContain("stem");
  for (const { rank } of layers) expect(rank % 4).toBe(0);
});

describe("wrong input is told by name", () => {
  test.each<[string, CompressOptions, string, RegExp]>([
    ["nothing asked for", {}, "usage/missing", /a target or ratios, got none/],
    ["both", { target: { macs: 0.5 }, ratios: { body: 0.5 } }, "usage/missing", /got both/],
    ["all of it", { target: { macs: 1 } }, "usage/bad-value", /between 0 and 1.*got 1/],
    ["more than all", { target: { parameters: 1.5 } }, "usage/bad-value", /got 1.5/],
    ["nothing", { target: { macs: 0 } }, "usage/bad-value", /got 0/],
    ["no number", { target: { macs: Number.NaN } }, "usage/bad-value", /got NaN/],
    ["a ratio of nothing", { ratios: { body: 0 } }, "usage/bad-value", /got 0/],
    ["an unknown layer", { ratios: { bdoy: 0.5 } }, "compress/no-such-layer", /got "bdoy"/],
    ["an unknown layer to ignore", { target: { macs: 0.5 }, ignore: ["nobody"] }, "compress/no-such-layer", /nobody/],
    ["a layer that is refused", { ratios: { deep: 0.5 } }, "compress/no-such-layer", /it has groups/],
    ["out of reach", { target: { macs: 0.01 } }, "compress/unreachable", /got 0.01 of the MACs; the least is 0\.\d+/],
    [
      "nothing left",
      { target: { macs: 0.5 }, ignore: ["stem", "body", "head"] },
      "compress/nothing-to-compress",
      /it was asked to stay/,
    ],
    ["an unknown scheme", { target: { macs: 0.5 }, schemes: ["svd" as "spatial-svd"] }, "usage/bad-value", /got "svd"/],
    [
      "channels by metric",
      { target: { macs: 0.5 }, schemes: ["channel-pruning"], selection: "metric" },
      "usage/bad-value",
      /got "metric"/,
    ],
    ["channels of nobody", { ratios: { bdoy: 0.5 }, schemes: ["channel-pruning"] }, "compress/no-such-layer", /bdoy/],
    [
      "channels of the output",
      { ratios: { head: 0.5 }, schemes: ["channel-pruning"] },
      "compress/no-such-layer",
      /an output/,
    ],
    [
      "channels out of reach",
      { target: { macs: 0.0001 }, schemes: ["channel-pruning"] },
      "compress/unreachable",
      /at most/,
    ],
    [
      "ratios of two kinds",
      { ratios: { body: 0.5 }, schemes: ["channel-pruning", "spatial-svd"] },
      "usage/bad-value",
      /alone/,
    ],
    ["no metric", { target: { macs: 0.5 }, selection: "metric" }, "usage/missing", /what judges/],
    ["a multiple of nothing", { target: { macs: 0.5 }, multiple: 0 }, "usage/bad-value", /from 1 on, got 0/],
  ])("%s", async (_, options, code, message) => {
    await expect(compress(options)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  test("no data where some is needed", async () => {
    await expect(compressModel(model, null, runtime, { target: { macs: 0.5 } })).rejects.toMatchObject({
      code: "data/none",
    });
  });

  test("the least that is named is reached", async () => {
    const { message } = await compress({ target: { macs: 0.01 } }).catch((error) => error);
    const least = Number(/least is (0\.\d+)/.exec(message)![1]);
    const { cost } = await compress({ target: { macs: least } });
    expect(cost.after.macs / cost.before.macs).toBeLessThanOrEqual(least);
  });
});

test("recurrent layers are listed with the reason why they stay, and can be ignored by name, not asked for", async () => {
  const speech = parseModel(
    `<ir_version: 10, opset_import: ["" : 21]> g (float[5,N,24] x) => (y)
    <float[24,24] w1, float[1,64,24] w, float[1,64,16] r, float[16,6] w2> {
      [before] a = MatMul(x, w1)
      [memory] s, h, c = LSTM <hidden_size = 16> (a, w, r)
      [last] f = Squeeze(h)
      [after] y = MatMul(f, w2)
    }`,
    { seed: 4 },
  );
  const run = (options: Pick<CompressOptions, "ratios" | "ignore">) =>
    compressModel(speech, null, runtime, { fit: "plain", ...options });
  const { sensitivities } = await run({ ratios: { before: 0.5 } });
  expect(sensitivities.refused).toContainEqual({ layer: "memory", reason: expect.stringMatching(/step by step/) });
  await run({ ratios: { before: 0.5 }, ignore: ["memory"] });
  await expect(run({ ratios: { memory: 0.5 } })).rejects.toMatchObject({
    code: "compress/no-such-layer",
    message: expect.stringMatching(/"memory": its weights are read inside the operator/),
  });
});
