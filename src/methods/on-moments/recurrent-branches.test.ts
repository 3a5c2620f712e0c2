/** Methods on moments for W and R of recurrent operators: moments by hand, less error at the outputs, biases that take the mean back. */
import { describe, expect, test } from "vitest";
import { signalToNoise } from "../../../test/signal-to-noise.ts";
import { Random } from "../../base/inner.ts";
import { fromTensors } from "../../data/inner.ts";
import { recurrentLayers } from "../../facts/inner.ts";
import { type Model, parseModel } from "../../ir/inner.ts";
import { builtinTarget, calibrate, lower, MomentGatherer, type Plan, parseGrid, place } from "../../quant/inner.ts";
import { openRuntime, traceShapes } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { applyAdaRound } from "../adaround/apply.ts";
import { applyGptq } from "../gptq/apply.ts";
import { applySeqMse } from "../seq-mse/apply.ts";

const runtime = await openRuntime("ort-node");
const target = builtinTarget("aimet-default");
const random = new Random(8);
const [steps, samples] = [6, 80];
/** Correlated inputs with means of their own: rounding to nearest is not the best for them. */
const x = Tensor.float32(
  [steps, samples, 8],
  Float32Array.from({ length: (steps * samples * 8) / 4 }, () => random.normal()).reduce<number[]>((all, z) => {
    for (let k = 0; k < 4; k++) all.push(z + 0.3 * random.normal() + 0.5);
    return all;
  }, []),
);
const data = fromTensors({ x }, { axes: { x: 1 } });
const gates = { LSTM: 4, GRU: 3, RNN: 1 };

function net(op: keyof typeof gates, directions: 1 | 2, bias = ", b", attributes = ""): Model {
  const rows = gates[op] * 10;
  return parseModel(
    `<ir_version: 10, opset_import: ["" : 21]> f (float[${steps},N,8] x) => (y) <float[${directions},${rows},8] w, float[${directions},${rows},10] r, float[${directions},${2 * rows}] b>
      { y = ${op} <hidden_size = 10, direction = "${directions === 2 ? "bidirectional" : "forward"}"${attributes}> (x, w, r${bias}) }`,
    { seed: 3 },
  );
}

async function planned(model: Model, granularity: "tensor" | "channel"): Promise<Plan> {
  const shapes = await traceShapes(model, runtime, { x });
  const placed = place(model, target, { shapes, weights: parseGrid("int3"), granularity });
  const { plan } = await calibrate(model, placed, runtime, data, { shapes });
  return { ...plan, entries: plan.entries.filter(({ kind }) => kind === "weight") };
}

async function outputOf(model: Model): Promise<Float32Array> {
  await using session = await runtime.open(model, { fuseQdq: false });
  return (await session.run({ x })).y!.floats();
}

test("moments are sums over all steps, of R per direction", async () => {
  const [node] = [...net("GRU", 2).graph.nodes];
  const [, layer] = recurrentLayers(node!);
  const states = Tensor.float32(
    [steps, 2, samples, 10],
    Float32Array.from({ length: steps * 2 * samples * 10 }, () => random.normal()),
  );
  await using gatherer = await MomentGatherer.open(runtime);
  const pairs = (async function* () {
    yield { first: 0, size: samples, float: states, quantized: states };
  })();
  const moments = await gatherer.gather(layer!, pairs, samples, new Random(1), {
    rowsPerColumn: Number.POSITIVE_INFINITY,
  });
  expect(moments.rows).toBe(steps * samples);
  const at = (t: number, d: number, n: number, k: number) => states.floats()[((t * 2 + d) * samples + n) * 10 + k]!;
  for (const d of [0, 1]) {
    for (const [i, j] of [
      [0, 0],
      [3, 7],
      [9, 2],
    ] as const) {
      let [product, a, b] = [0, 0, 0];
      for (let t = 0; t < steps; t++)
        for (let n = 0; n < samples; n++) {
          product += at(t, d, n, i) * at(t, d, n, j);
          a += at(t, d, n, i);
          b += at(t, d, n, j);
        }
      const rows = steps * samples;
      // Products of 480 rows in float32.
      expect(moments.h[(d * 10 + i) * 10 + j]).toBeCloseTo(product / rows - (a / rows) * (b / rows), 5);
    }
  }
});

const methods = {
  "AdaRound by descent": (model: Model, plan: Plan) => applyAdaRound(model, plan, context, { iterations: 0 }),
  AdaRound: (model: Model, plan: Plan) => applyAdaRound(model, plan, context, { iterations: 200 }),
  GPTQ: (model: Model, plan: Plan) => applyGptq(model, plan, context, {}),
  SeqMSE: (model: Model, plan: Plan) => applySeqMse(model, plan, context, {}),
};
const context = { runtime, data, target, calibration: "sqnr" as const, seed: 0 };

describe.each(Object.keys(methods) as (keyof typeof methods)[])("%s", (name) => {
  test.each([
    ["LSTM", 1, ", b", "channel"],
    ["LSTM", 2, ", b", "channel"],
    ["LSTM", 2, "", "tensor"],
    ["GRU", 2, ", b", "channel"],
    ["RNN", 1, "", "channel"],
  ] as const)("%s in %d directions, bias '%s', per %s", async (op, directions, bias, granularity) => {
    const model = net(op, directions, bias);
    const plan = await planned(model, granularity);
    const float = await outputOf(model);
    const before = signalToNoise(float, await outputOf(lower(model, plan).model));
    const { model: solved, plan: changed, report } = await methods[name](model, plan);
    expect(report.edits).toBe(2);
    expect(changed.entries.map(({ value, frozen }) => [value, frozen ?? false])).toEqual([
      ["w", true],
      ["r", true],
    ]);
    const after = signalToNoise(float, await outputOf(lower(solved, changed).model));
    expect(after).toBeGreaterThan(before);
  });
});

test("an operator without the output Y keeps R as it is rounded", async () => {
  const model = parseModel(
    `<ir_version: 10, opset_import: ["" : 21]> f (float[${steps},N,8] x) => (y) <float[1,10,8] w, float[1,10,10] r> { "", y = RNN <hidden_size = 10> (x, w, r) }`,
    { seed: 3 },
  );
  const plan = await planned(model, "channel");
  const { report } = await applyGptq(model, plan, context, {});
  expect(report.edits).toBe(1);
});
