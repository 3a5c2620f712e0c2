/** The graph of a step: its gradient is that of gradientModel, whatever form the loss has. */
import { beforeAll, describe, expect, test } from "vitest";
import { gradientModel, seedPrefix } from "../autodiff/inner.ts";
import { type Model, parseModel } from "../ir/inner.ts";
import { openRuntime, type Runtime, traceShapes } from "../runtime/inner.ts";
import { type Feeds, Tensor } from "../tensor/inner.ts";
import { trainBatchNorms } from "./batch-norm-training.ts";
import type { Loss } from "./loss.ts";
import { crossEntropy } from "./losses/cross-entropy.ts";
import { functionLoss, modelLoss } from "./losses/given.ts";
import { meanSquaredError } from "./losses/regression.ts";
import type { TrainingSpec } from "./spec.ts";
import { Trainer } from "./trainer.ts";
import { trainingGraph } from "./training-graph.ts";

let runtime: Runtime;
beforeAll(async () => {
  runtime = await openRuntime();
});

const header = '<ir_version: 10, opset_import: ["" : 21]>';
const perceptron = parseModel(
  `${header} g (float[4,3] x) => (float[4,2] y) <float[3,5] w1, float[5] b1, float[5,2] w2>
  { h = MatMul(x, w1)
    a = Add(h, b1)
    r = Tanh(a)
    y = MatMul(r, w2) }`,
  { seed: 2 },
);
const names = ["w1", "b1", "w2"];
const x = Tensor.float32([4, 3], [0.3, -1, 0.7, 1.5, 0.2, -0.4, -0.9, 0.1, 0.8, 0.6, -0.3, 1.1]);
const target = Tensor.float32([4, 2], [1, 0, 0.5, -1, 2, 0.3, -0.7, 0.2]);

/** Plain descent at rate one: what the parameters lose is the gradient. */
async function gradientOf(
  loss: Loss,
  feeds: Feeds,
  model: Model = perceptron,
  more: Pick<TrainingSpec, "memory"> = {},
): Promise<Map<string, number[]>> {
  await using trainer = await Trainer.open(
    { model, example: feeds, groups: [{ names }], loss, optimizer: { kind: "sgd" }, rate: 1, ...more },
    runtime,
  );
  const before = trainer.parameters();
  await trainer.step(feeds);
  const after = trainer.parameters();
  const lost = (name: string) =>
    before
      .get(name)!
      .floats()
      .map((value, i) => value - after.get(name)!.floats()[i]!);
  return new Map(names.map((name) => [name, [...lost(name)]]));
}

/** Parameters of size one, of which a gradient is what is lost: 1e-7 is their rounding. */
function expectSame(found: ReadonlyMap<string, number[]>, expected: ReadonlyMap<string, number[]>): void {
  for (const [name, values] of expected) {
    for (const [i, value] of values.entries()) expect(Math.abs(found.get(name)![i]! - value)).toBeLessThan(5e-7);
  }
}

describe("the gradient of a step", () => {
  /** Of the mean squared error, from gradientModel and 2 · (y − t) / n by hand. */
  async function expected(): Promise<Map<string, number[]>> {
    const types = await traceShapes(perceptron, runtime, { x });
    await using forward = await runtime.open(perceptron);
    const { y } = await forward.run({ x });
    const seed = y!.floats().map((value, i) => (2 * (value - target.floats()[i]!)) / 8);
    await using session = await runtime.open(gradientModel(perceptron, names, { types }));
    const values = perceptron.graph.valuesByName();
    const given = Object.fromEntries(names.map((name) => [name, values.get(name)!.initializer!]));
    const results = await session.run({ x, ...given, [`${seedPrefix}y`]: Tensor.float32([4, 2], seed) });
    return new Map(names.map((name) => [name, [...results[`gradient_${name}`]!.floats()]]));
  }

  test("is that of gradientModel", async () => {
    expectSame(await gradientOf(meanSquaredError(), { x, target }), await expected());
  });

  test("is the same, bit for bit, when next to nothing may wait for the backward pass", async () => {
    const feeds = { x, target };
    const held = await gradientOf(meanSquaredError(), feeds);
    expect(await gradientOf(meanSquaredError(), feeds, perceptron, { memory: 0 })).toEqual(held);
  });

  test("is the same for a loss given as a model", async () => {
    const text = `${header} l (float[4,2] target, float[4,2] y) => (float loss) <int64[2] axes = {0, 1}>
      { d = Sub(y, target)
        s = Mul(d, d)
        loss = ReduceMean <keepdims = 0> (s, axes) }`;
    expectSame(await gradientOf(modelLoss(parseModel(text), ["target"]), { x, target }), await expected());
  });

  test("is the same for a loss given as a model of an older opset", async () => {
    const text = `<ir_version: 8, opset_import: ["" : 13]> l (float[4,2] y, float[4,2] target) => (float loss)
      { d = Sub(y, target)
        s = Mul(d, d)
        loss = ReduceMean <axes = [0, 1], keepdims = 0> (s) }`;
    expectSame(await gradientOf(modelLoss(parseModel(text), ["target"]), { x, target }), await expected());
  });

  test("is the same for a loss given as a function", async () => {
    const loss = functionLoss(
      ({ y }, { target: wanted }) => {
        const difference = y!.floats().map((value, i) => value - wanted!.floats()[i]!);
        const value = difference.reduce((sum, d) => sum + d * d, 0) / difference.length;
        return {
          value,
          gradients: {
            y: Tensor.float32(
              y!.shape,
              difference.map((d) => (2 * d) / difference.length),
            ),
          },
        };
      },
      { targets: ["target"] },
    );
    expectSame(await gradientOf(loss, { x, target }), await expected());
  });
});

describe("trainingGraph", () => {
  const spec: TrainingSpec = {
    model: perceptron,
    example: { x, target },
    groups: [{ names: ["w1"] }, { names: ["b1"] }],
    loss: meanSquaredError(),
    optimizer: { kind: "adam" },
  };

  test("keeps its state in few buffers, and leaves the model as it was", async () => {
    const before = [...perceptron.graph.values()].map((value) => value.name);
    const { model, buffers } = await trainingGraph(spec, runtime);
    expect([...buffers.keys()]).toEqual(["parameters", "first_moment", "second_moment"]);
    expect(model.graph.inputs.map((value) => value.name)).toEqual([
      "x",
      "train.parameters",
      "target",
      "train.learning_rate",
      "train.step",
      "train.first_moment",
      "train.second_moment",
    ]);
    expect([...perceptron.graph.values()].map((value) => value.name)).toEqual(before);
  });

  test("what is not in a group stays a constant; what the loss does not depend on stays as it is", async () => {
    const model = parseModel(
      `${header} g (float[1,2] x) => (float[1,2] y) <float[2,2] w, float[2] other>
      { y = MatMul(x, w)
        z = Add(y, other) }`,
      { seed: 1 },
    );
    const feeds = { x: Tensor.float32([1, 2], [1, 2]), target: Tensor.float32([1, 2], [0, 0]) };
    const groups = [{ names: ["w", "other"] }];
    await using trainer = await Trainer.open({ ...spec, model, example: feeds, groups, rate: 0.1 }, runtime);
    const before = trainer.parameters();
    await trainer.step(feeds);
    expect(trainer.parameters().get("other")!.floats()).toEqual(before.get("other")!.floats());
    expect(trainer.parameters().get("w")!.floats()).not.toEqual(before.get("w")!.floats());
  });

  test("a batch norm that runs twice renews its statistics once", async () => {
    const model = parseModel(
      `${header} g (float[2,3,6,6] x) => (float[2,4,6,6] y)
      <float[4,3,3,3] w1, float[4] g, float[4] b, float[4] m, float[4] v, float[4,4,3,3] w2>
      { c = Conv <pads = [1,1,1,1]> (x, w1)
        n, m2, v2 = BatchNormalization <training_mode = 1> (c, g, b, m, v)
        r = Relu(n)
        y = Conv <pads = [1,1,1,1]> (r, w2) }`,
      { seed: 1, positive: ["v"] },
    );
    const numbers = (size: number) => Float32Array.from({ length: size }, (_, i) => Math.sin(i * 1.7));
    const feeds = { x: Tensor.float32([2, 3, 6, 6], numbers(216)), target: Tensor.float32([2, 4, 6, 6], numbers(288)) };
    const states = [
      { name: "m", next: "m2" },
      { name: "v", next: "v2" },
    ];
    const groups = [{ names: ["w1", "g", "b", "w2"] }];
    const step = async (more: Pick<TrainingSpec, "memory">) => {
      const all = { ...spec, ...more, model, example: feeds, groups, states, rate: 0.1 };
      await using trainer = await Trainer.open(all, runtime);
      await trainer.step(feeds);
      const { model: built } = await trainingGraph(all, runtime);
      return { nodes: built.graph.nodeCount, learnt: trainer.parameters(), statistics: trainer.statistics() };
    };
    const held = await step({});
    // The convolution's output and the weights are held, the activation is not.
    const less = await step({ memory: 2_500 });
    expect(less.nodes).toBeGreaterThan(held.nodes);
    expect(less.statistics).toEqual(held.statistics);
    expect(less.learnt).toEqual(held.learnt);
  });

  test("gives values that are asked for", async () => {
    await using trainer = await Trainer.open({ ...spec, outputs: ["r", "y"], rate: 0.1 }, runtime);
    const { outputs } = await trainer.step(spec.example);
    await using session = await runtime.open(perceptron);
    expect(outputs.y!.floats()).toEqual((await session.run({ x })).y!.floats());
    expect(outputs.r!.shape).toEqual([4, 5]);
  });

  test.each([
    ["a computed value", { groups: [{ names: ["h"] }] }, "graph/not-found"],
    ["an unknown value", { groups: [{ names: ["w9"] }] }, "graph/not-found"],
    ["an input without a first value", { groups: [{ names: ["x"] }], example: { target } }, "graph/not-found"],
    ["an example without its target", { example: { x } }, "data/wrong-inputs"],
    ["an output that is not there", { loss: meanSquaredError({ output: "z" }) }, "graph/not-found"],
    ["a value to fetch that is not there", { outputs: ["z"] }, "graph/not-found"],
    [
      "an old opset",
      { model: parseModel('<ir_version: 8, opset_import: ["" : 17]> g (float[1] x) => (float[1] y) { y = Neg(x) }') },
      "pass/unsupported",
    ],
  ] as const)("refuses %s", async (_, change, code) => {
    await expect(trainingGraph({ ...spec, ...change }, runtime)).rejects.toMatchObject({ code });
  });
});

describe("batch norms in training form", () => {
  const text = (attributes: string, outputs: string) => `${header}
    g (float[2,2,2] x) => (float[2,2,2] y) <float[2] gamma = {2, 0.5}, float[2] beta = {1, -1}, float[2] mean = {10, 20}, float[2] var = {3, 4}>
    { ${outputs} = BatchNormalization <epsilon = 0.001${attributes}> (x, gamma, beta, mean, var) }`;
  const values = [1, 2, 3, 4, 5, 6, 7, 9];

  test("normalise by the batch, and the running statistics follow it", async () => {
    const model = parseModel(text("", "y"));
    const { affine, states } = trainBatchNorms(model, 0.8);
    expect(affine).toEqual(["gamma", "beta"]);
    expect(states.map(({ name }) => name)).toEqual(["mean", "var"]);
    await using trainer = await Trainer.open(
      {
        model,
        states,
        example: { x: Tensor.float32([2, 2, 2], values), labels: Tensor.int64([2, 2], [0, 1, 1, 0]) },
        groups: [{ names: affine }],
        loss: crossEntropy(),
        optimizer: { kind: "sgd" },
        rate: 0.1,
        outputs: ["y"],
      },
      runtime,
    );
    const { outputs } = await trainer.step({
      x: Tensor.float32([2, 2, 2], values),
      labels: Tensor.int64([2, 2], [0, 1, 1, 0]),
    });
    // Channel 0 holds 1 2 5 6 (mean 3.5, variance 4.25), channel 1 holds 3 4 7 9 (mean 5.75, variance 5.6875).
    expect(outputs.y!.floats()[0]).toBeCloseTo((2 * (1 - 3.5)) / Math.sqrt(4.251) + 1, 5);
    expect(outputs.y!.floats()[7]).toBeCloseTo((0.5 * (9 - 5.75)) / Math.sqrt(5.6885) - 1, 5);
    const now = trainer.statistics();
    expect(now.get("mean")!.floats()[0]).toBeCloseTo(0.8 * 10 + 0.2 * 3.5, 5);
    expect(now.get("mean")!.floats()[1]).toBeCloseTo(0.8 * 20 + 0.2 * 5.75, 5);
    expect(now.get("var")!.floats()[0]).toBeCloseTo(0.8 * 3 + 0.2 * 4.25, 5);
    expect(now.get("var")!.floats()[1]).toBeCloseTo(0.8 * 4 + 0.2 * 5.6875, 5);
    const trained = trainer.applyTo(parseModel(text("", "y"))).graph.valuesByName();
    expect(trained.get("mean")!.initializer!.floats()).toEqual(now.get("mean")!.floats());
    expect(trained.get("gamma")!.initializer!.floats()).toEqual(trainer.parameters().get("gamma")!.floats());
  });

  test("those that train already, or share their constants, are left alone", () => {
    const already = parseModel(text(", training_mode = 1", "y, next_mean, next_var"));
    expect(trainBatchNorms(already)).toEqual({ affine: [], states: [] });
    const shared = parseModel(
      `${header}
      g (float[2,2,2] x) => (float[2,2,2] y, float[2,2,2] z) <float[2] gamma, float[2] beta, float[2] mean, float[2] var>
      { y = BatchNormalization(x, gamma, beta, mean, var)
        z = BatchNormalization(y, gamma, beta, mean, var) }`,
      { seed: 1 },
    );
    expect(trainBatchNorms(shared).affine).toEqual([]);
  });
});
