/** Training through time behind quantizers: W, R, B and ranges move, and the quantized net comes closer to the float one. */
import { describe, expect, test } from "vitest";
import { Random } from "../../base/inner.ts";
import { fromTensors } from "../../data/inner.ts";
import { type Model, parseModel } from "../../ir/inner.ts";
import { builtinTarget, calibrate, lower, type Plan, parseGrid, place } from "../../quant/inner.ts";
import { openRuntime, traceShapes } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { trainQuantized } from "./apply.ts";

const runtime = await openRuntime();
const random = new Random(5);
const [steps, samples] = [7, 64];
const x = Tensor.float32(
  [samples, steps, 6],
  Float32Array.from({ length: steps * samples * 6 }, () => random.normal()),
);
const data = fromTensors({ x });
const gates = { LSTM: 4, GRU: 3, RNN: 1 };

const net = (op: keyof typeof gates, directions: 1 | 2) => {
  const rows = gates[op] * 8;
  return parseModel(
    `<ir_version: 10, opset_import: ["" : 21]> f (float[N,${steps},6] x) => (float[${steps},${directions},N,8] y) <float[${directions},${rows},6] w, float[${directions},${rows},8] r, float[${directions},${2 * rows}] b>
      { t = Transpose <perm = [1,0,2]> (x) y = ${op} <hidden_size = 8, direction = "${directions === 2 ? "bidirectional" : "forward"}"> (t, w, r, b) }`,
    { seed: 6 },
  );
};

/** The integers of a constant of the shipped file. */
const integersOf = (model: Model, plan: Plan, name: string) =>
  lower(model, plan).model.graph.valuesByName().get(`${name}_quantized`)!.initializer!.numbers();

async function outputOf(model: Model): Promise<Float32Array> {
  await using session = await runtime.open(model, { fuseQdq: false });
  return (await session.run({ x })).y!.floats();
}

const distance = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0);

describe.each([
  ["LSTM", 2, "aimet-default", 0.7],
  ["GRU", 1, "aimet-default", 0.7],
  ["RNN", 2, "htp-v73", 0.7],
  // Weights alone, without ranges that can be learned: 0.82 of the distance is left.
  ["LSTM", 1, "ort-cpu", 0.9],
] as const)("%s in %d directions for %s", (op, directions, name, left) => {
  test("integers of W and R move, and the outputs come closer to those in float", async () => {
    const model = net(op, directions);
    const target = builtinTarget(name);
    const shapes = await traceShapes(model, runtime, { x });
    const placed = place(model, target, { shapes, weights: parseGrid("int3"), granularity: "channel" });
    const { plan } = await calibrate(model, placed, runtime, data, { shapes });
    const context = { runtime, data, target, calibration: "sqnr" as const, seed: 3, reference: model, threads: 1 };
    const result = await trainQuantized(model, plan, context, { epochs: 24, batch: 16, learningRate: 5e-3 });
    for (const weight of ["w", "r"]) {
      const [before, after] = [integersOf(model, plan, weight), integersOf(result.model, result.plan, weight)];
      const moved = before.filter((value, i) => value !== after[i]).length;
      // Measured: 5 to 20 % of them.
      expect(moved / before.length, weight).toBeGreaterThan(0.02);
    }
    const values = result.model.graph.valuesByName();
    expect(values.get("b")!.initializer!.floats()).not.toEqual(
      model.graph.valuesByName().get("b")!.initializer!.floats(),
    );
    const float = await outputOf(model);
    const [before, after] = [
      await outputOf(lower(model, plan).model),
      await outputOf(lower(result.model, result.plan).model),
    ];
    expect(distance(after, float)).toBeLessThan(left * distance(before, float));
  });
});
