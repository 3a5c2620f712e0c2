/** Channels that go together, the cut in every consumer, the order in which they go, and AIMET's published cost. */
import { describe, expect, test } from "vitest";
import { arrayData } from "../../../test/array-data.ts";
import { mnistNet } from "../../../test/mnist-net.ts";
import { expectSameOutputs } from "../../../test/same-outputs.ts";
import { macsOf, parametersOf } from "../../analysis/inner.ts";
import { Random } from "../../base/inner.ts";
import { inferTypes, matrixLayerAt, matrixOf, weightOf } from "../../facts/inner.ts";
import { check, cloneModel, type Model, parseModel } from "../../ir/inner.ts";
import { openRuntime, traceShapes } from "../../runtime/inner.ts";
import { sizeOf, Tensor } from "../../tensor/inner.ts";
import { damped } from "../dense/solve.ts";
import { cutChannels, keptOf } from "./cut.ts";
import { CostLedger, channelGroups } from "./groups.ts";
import { removalOrder } from "./order.ts";
import { pruneChannels } from "./prune.ts";
import { traceChannels } from "./trace.ts";

const runtime = await openRuntime("ort-node");
const x = Tensor.float32(
  [2, 4, 8, 8],
  Float32Array.from({ length: 512 }, (_, i) => Math.sin(i * 0.7) + Math.cos(i * i * 0.01)),
);

function net(constants: string, body: string): Model {
  const model = parseModel(
    `<ir_version: 10, opset_import: ["" : 21]> f (float[N,4,8,8] x) => (y) <${constants}> { ${body} }`,
    { seed: 21 },
  );
  return model;
}

const graphs: Readonly<
  Record<string, { readonly model: () => Model; readonly groups: readonly (readonly [string, number])[] }>
> = {
  "a chain with a batch norm and a classifier": {
    model: () =>
      net(
        "float[6,4,3,3] w1, float[6] b1, float[6] g, float[6] h, float[6] m, float[6] v = {1, 2, 3, 1, 2, 3}, float[5,6,3,3] w2, float[7,45] w3, int64[2] s = {0, -1}",
        `[a] a = Conv(x, w1, b1) n = BatchNormalization(a, g, h, m, v) r = Relu(n) [b] c = Conv(r, w2) p = MaxPool <kernel_shape = [2,2], strides = [1,1]> (c)
         t = Reshape(p, s) [c] y = Gemm <transB = 1> (t, w3)`,
      ),
    groups: [
      ["a", 6],
      ["b", 5],
    ],
  },
  "a residual addition": {
    model: () =>
      net(
        "float[6,4,1,1] w1, float[6,6,3,3] w2, float[6] b2, float[8,6,1,1] w3, float[3,8,1,1] w4, float[3,6,1,1] w5",
        `[a] a = Conv(x, w1) r = Relu(a) [b] b = Conv <pads = [1,1,1,1]> (r, w2, b2) s = Add(b, r) t = Relu(s)
         [c] c = Conv(t, w3) u = Sigmoid(c) [d] d = Conv(u, w4) [e] e = Conv(t, w5) y = Add(d, e)`,
      ),
    groups: [
      ["a + b", 6],
      ["c", 8],
    ],
  },
  "a concatenation and a split": {
    model: () =>
      net(
        "float[4,4,1,1] w1, float[6,4,1,1] w2, float[3,10,1,1] w3, float[4,3,1,1] w4, int64[2] l = {2, 2}, float[2,2,1,1] w5, float[2,2,1,1] w6",
        `[a] a = Conv(x, w1) [b] b = Conv(x, w2) c = Concat <axis = 1> (a, b) [c] d = Conv(c, w3) [d] e = Conv(d, w4)
         f, g = Split <axis = 1> (e, l) [e] h = Conv(f, w5) [f] i = Conv(g, w6) y = Add(h, i)`,
      ),
    groups: [
      ["a", 4],
      ["b", 6],
      ["c", 3],
      ["d", 4],
    ],
  },
  "a depthwise and a grouped convolution": {
    model: () =>
      net(
        "float[6,4,1,1] w1, float[6,1,3,3] w2, float[6] b2, float[8,6,1,1] w3, float[4,2,3,3] w4, float[4] b4, float[3,4,1,1] w5",
        `[a] a = Conv(x, w1) r = Clip(a) [b] b = Conv <group = 6, pads = [1,1,1,1]> (r, w2, b2) [c] c = Conv(b, w3)
         [d] d = Conv <group = 4> (c, w4, b4) [e] y = Conv(d, w5)`,
      ),
    groups: [
      ["a", 6],
      ["c", 4],
    ],
  },
  "squeeze and excite": {
    model: () =>
      net(
        "float[6,4,1,1] w1, float[3,6,1,1] w2, float[6,3,1,1] w3, float[2,6,1,1] w4, float[6,1,1] k",
        `[a] a = Conv(x, w1) r = HardSwish(a) p = GlobalAveragePool(r) [b] b = Conv(p, w2) c = Relu(b) [c] d = Conv(c, w3) s = Sigmoid(d)
         m = Mul(r, s) o = Mul(m, k) [d] y = Conv(o, w4)`,
      ),
    groups: [
      ["a + c", 6],
      ["b", 3],
    ],
  },
  "a transposed convolution, pixel shuffle, and rows": {
    model: () =>
      net(
        "float[4,6,2,2] w1, float[6] b1, float[8,6,1,1] w2, float[5,2,1,1] w3, float[5,7] w4, float[7,3] w5, float[7] b4, int64[2] ax = {2, 3}",
        `[a] a = ConvTranspose <strides = [2,2]> (x, w1, b1) [b] b = Conv(a, w2) d = DepthToSpace <blocksize = 2> (b) [c] c = Conv(d, w3)
         e = ReduceMean <keepdims = 0> (c, ax) [d] g = MatMul(e, w4) h = Add(g, b4) i = Relu(h) [e] y = MatMul(i, w5)`,
      ),
    groups: [
      ["a", 6],
      ["b", 2],
      ["c", 5],
      ["d", 7],
    ],
  },
};

async function shapesOf(model: Model) {
  return await traceShapes(model, runtime, { x });
}

describe.each(Object.entries(graphs))("%s", (_, { model: make, groups: expected }) => {
  test("has the groups that go together", async () => {
    const model = make();
    const { groups } = channelGroups(traceChannels(model.graph, await shapesOf(model)));
    expect(groups.map(({ name, channels }) => [name, channels.length])).toEqual(expected);
  });

  test("computes the same without channels that nobody weighs, and costs what the ledger says", async () => {
    const random = new Random(5);
    for (let turn = 0; turn < 4; turn++) {
      const model = make();
      const shapes = await shapesOf(model);
      const traced = traceChannels(model.graph, shapes);
      const { space } = traced;
      const gone = new Set<number>();
      for (const { channels } of channelGroups(traced).groups) {
        for (const channel of channels.slice(1)) if (random.uniform() < 0.5) gone.add(channel);
      }
      // Every weight that reads them becomes zero.
      for (const { node, inputs, layer } of traced.layers) {
        const own = matrixLayerAt(node)!;
        if (!inputs || layer.axes.groups > 1) continue;
        const kept = new Set(keptOf(inputs, space, gone));
        const each = own.matrix.columns / inputs.length;
        const weight = matrixOf(own.matrix, own.weight.tensor).map((w, i) =>
          kept.has(Math.floor((i % own.matrix.columns) / each)) ? w : 0,
        );
        own.weight.value.initializer = weightOf(own.matrix, own.weight.tensor, weight);
      }
      const copy = cloneModel(model);
      cutChannels(copy.graph, traceChannels(copy.graph, shapes), gone);
      check(copy, "after cutting");
      // The same sums, of which zeros were left out.
      await expectSameOutputs(model, copy, { feeds: { x }, ofRange: 1e-6 });
      const ledger = new CostLedger(traced, shapes);
      const before = ledger.total("macs");
      ledger.remove([...gone]);
      const now = await shapesOf(copy);
      expect(macsOf(model, shapes)! - macsOf(copy, now)!).toBe(before - ledger.total("macs"));
      expect(parametersOf(copy)).toBeLessThanOrEqual(parametersOf(model));
    }
  });
});

test.each([
  ["an output of the model", "float[6,4,1,1] w1", "[a] y = Conv(x, w1)", /a: it is an output/],
  [
    "an operator that sums over channels",
    "float[6,4,1,1] w1, float[2,6,1,1] w2",
    "[a] a = Conv(x, w1) s = Softmax <axis = 1> (a) [b] y = Conv(s, w2)",
    /a: .*Softmax.* needs all of its channels/,
  ],
  [
    "a body that captures them",
    "float[6,4,1,1] w1, float[2,6,1,1] w2, bool t = {1}",
    `[a] a = Conv(x, w1) b = If(t) < then_branch = g () => (float p) { p = ReduceMax <keepdims = 0> (a) },
      else_branch = h () => (float q) { q = ReduceMin <keepdims = 0> (a) } > [c] c = Conv(a, w2) y = Add(c, b)`,
    /a: .*If.* needs all of its channels/,
  ],
  [
    "a weight that two share",
    "float[4,4,1,1] w1, float[2,4,1,1] w2",
    "[a] a = Conv(x, w1) [b] b = Conv(a, w1) [c] y = Conv(b, w2)",
    /share the weight/,
  ],
  [
    "a residual of the input",
    "float[4,4,1,1] w1, float[2,4,1,1] w2",
    "[a] a = Conv(x, w1) s = Add(a, x) [b] y = Conv(s, w2)",
    /a: .*Add.* needs all/,
  ],
])("%s keeps its channels, and says so", async (_, constants, body, reason) => {
  const model = net(constants, body);
  const { groups, refused } = channelGroups(traceChannels(model.graph, await shapesOf(model)));
  expect(groups).toEqual([]);
  expect(refused.map(({ layer, reason }) => `${layer}: ${reason}`).join("\n")).toMatch(reason);
});

describe("the order in which channels go", () => {
  const [columns, outputs, each] = [24, 5, 3];
  const random = new Random(9);
  const weight = Float64Array.from({ length: outputs * columns }, () => random.normal());
  const factor = Float64Array.from({ length: columns * columns }, () => random.normal() * random.uniform());
  const raw = new Float64Array(columns * columns);
  for (let i = 0; i < columns; i++)
    for (let j = 0; j < columns; j++)
      for (let k = 0; k < 12; k++) raw[i * columns + j]! += factor[i * columns + k]! * factor[j * columns + k]!;
  const h = damped(raw, columns, 1e-2);
  const importance = Float64Array.from({ length: outputs }, () => random.uniform(0.5, 2));
  const channels = Array.from({ length: columns / each }, (_, c) => c);
  const columnsOf = new Map(channels.map((c) => [c, Array.from({ length: each }, (_, k) => c * each + k)]));
  const reader = { outputs, columns, weight, columnsOf, h, importance };

  /** The least loss with these channels alone, by eliminating the others from a joint matrix: Gauss, nothing of the code under test. */
  function leastLoss(gone: readonly number[]): number {
    const kept = channels.filter((c) => !gone.includes(c)).flatMap((c) => columnsOf.get(c)!);
    const m = kept.length;
    let loss = 0;
    for (let o = 0; o < outputs; o++) {
      // [H_PP | (wH)_P] solved by Gauss; loss = wHwᵀ − q·(wH)_P.
      const w = weight.subarray(o * columns, (o + 1) * columns);
      const wh = Array.from({ length: columns }, (_, j) =>
        w.reduce((sum, value, i) => sum + value * h[i * columns + j]!, 0),
      );
      const rows = kept.map((i) => [...kept.map((j) => h[i * columns + j]!), wh[i]!]);
      for (let p = 0; p < m; p++) {
        const pivot = rows[p]!;
        for (let r = 0; r < m; r++) {
          if (r === p) continue;
          const factorHere = rows[r]![p]! / pivot[p]!;
          for (let c = p; c <= m; c++) rows[r]![c]! -= factorHere * pivot[c]!;
        }
      }
      const all = wh.reduce((sum, value, i) => sum + value * w[i]!, 0);
      loss += importance[o]! * kept.reduce((sum, i, p) => sum - (rows[p]![m]! / rows[p]![p]!) * wh[i]!, all);
    }
    return loss;
  }

  test("is greedy, and the loss is that of the best weights on what is left", () => {
    const order = removalOrder(channels, [reader]);
    expect(order).toHaveLength(channels.length - 1);
    const gone: number[] = [];
    for (const { channel, loss } of order) {
      const tried = channels.filter((c) => !gone.includes(c)).map((c) => ({ c, loss: leastLoss([...gone, c]) }));
      const best = tried.sort((a, b) => a.loss - b.loss)[0]!;
      expect(channel).toBe(best.c);
      expect(loss).toBeCloseTo(best.loss, 8);
      gone.push(channel);
    }
  });

  test("without moments is that of the norms", () => {
    const order = removalOrder(channels, [{ ...reader, h: null, importance: new Float64Array(outputs).fill(1) }]);
    const norm = (c: number) =>
      columnsOf
        .get(c)!
        .reduce(
          (sum, j) =>
            sum + Array.from({ length: outputs }, (_, o) => weight[o * columns + j]! ** 2).reduce((a, b) => a + b),
          0,
        );
    const sorted = [...channels].sort((a, b) => norm(a) - norm(b));
    expect(order.map(({ channel }) => channel)).toEqual(sorted.slice(0, -1));
  });
});

test("AIMET's cost of its MNIST network with half of the inputs of the second convolution", async () => {
  const model = mnistNet();
  const shapes = inferTypes(model);
  const options = { by: "macs", ratios: { conv1: 0.5 }, count: 10, multiple: 1, ignore: [] } as const;
  const { model: smaller, layers } = await pruneChannels(model, shapes, options, null);
  expect(layers.map(({ layer, chosen }) => [layer, chosen])).toEqual([["conv1", 16]]);
  expect(macsOf(smaller, inferTypes(smaller))).toBe(8552704);
});

test("fitted on moments, pruning loses less than half of what norms alone lose", async () => {
  const model = graphs["a residual addition"]!.model();
  const random = new Random(3);
  const shape = [64, 4, 8, 8];
  // Four channels that are mixtures of two: half of what layers read is in the other half.
  const images = new Float32Array(sizeOf(shape));
  for (let n = 0; n < 64; n++)
    for (let i = 0; i < 64; i++) {
      const [u, v] = [random.normal(), random.normal()];
      for (let c = 0; c < 4; c++)
        images[(n * 4 + c) * 64 + i] = u * Math.cos(c) + v * Math.sin(c) + 0.05 * random.normal();
    }
  const feeds = { x: Tensor.float32(shape, images) };
  const shapes = await traceShapes(model, runtime, { x });
  const options = { by: "macs", ratios: { a: 0.5, c: 0.5 }, count: 10, multiple: 1, ignore: [] } as const;
  const loss = async (other: Model) => {
    await using float = await runtime.open(model);
    await using session = await runtime.open(other);
    const [a, b] = [(await float.run(feeds)).y!.floats(), (await session.run(feeds)).y!.floats()];
    return (
      a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0) / a.reduce((sum, value) => sum + value * value, 0)
    );
  };
  const norms = await pruneChannels(model, shapes, options, null);
  const aware = await pruneChannels(model, shapes, options, { runtime, data: arrayData(feeds), seed: 0 });
  expect(macsOf(aware.model, await traceShapes(aware.model, runtime, { x }))).toBe(
    macsOf(norms.model, await traceShapes(norms.model, runtime, { x })),
  );
  expect(await loss(aware.model)).toBeLessThan(0.5 * (await loss(norms.model)));
});
